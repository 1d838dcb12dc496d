"""The reference pages: every operation and message has one, complete and light, and nothing leads nowhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from api.openapi import current_document as openapi
from runtime.gateway_settings import GatewaySettings
from runtime.settings import Settings
from schemas.asyncapi import current_document as asyncapi
from web.app import make_app
from web.reference.schema_view import field_of, first_sentence, prose, tables_of

_ASSETS = Path(__file__).parents[3] / "web" / "assets"
_STYLE = sum(
    (_ASSETS / name).stat().st_size for name in ("app.css", "reference.css", "icons.svg", "icon.svg")
)
_AT_MOST = 150_000
_OPERATIONS = {
    one["operationId"]: (path, one)
    for path, methods in openapi()["paths"].items()
    for one in methods.values()
}
_MESSAGES = [name for channel in asyncapi()["channels"].values() for name in channel["messages"]]


@pytest.fixture(scope="module")
def reader() -> TestClient:
    """Someone who is not signed in; the pages need neither database nor broker."""
    return TestClient(make_app(Settings(), GatewaySettings()))


def html(reader: TestClient, path: str) -> str:
    answer = reader.get(path)
    assert answer.status_code == 200, (path, answer.status_code)
    assert len(answer.content) + _STYLE <= _AT_MOST, path
    assert "unsafe" not in answer.headers["content-security-policy"]
    inner = set(re.findall(r'href="#([^"]+)"', answer.text)) - {"main"}
    assert inner <= set(re.findall(r' id="([^"]+)"', answer.text)), path
    return answer.text


def test_the_lists_lead_to_every_operation_and_message(reader: TestClient) -> None:
    assert set(re.findall(r'href="/docs/api/([^"]+)"', html(reader, "/docs/api"))) == set(_OPERATIONS)
    listed = re.findall(r'href="/docs/events/([^"]+)"', html(reader, "/docs/events"))
    assert sorted(listed) == sorted(_MESSAGES)


def test_an_operation_shows_its_parameters_fields_and_statuses(reader: TestClient) -> None:
    for name, (path, node) in _OPERATIONS.items():
        text = html(reader, f"/docs/api/{name}")
        assert path in text
        for expected in [*(one["name"] for one in node.get("parameters", ())), *node["responses"]]:
            assert f"<code>{expected}</code>" in text, (name, expected)
        content: dict[str, Any] = node.get("requestBody", {}).get("content", {})
        for body in content.values():
            schema = body["schema"]
            if "$ref" in schema:
                schema = openapi()["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
            for field in schema["properties"]:
                assert f"<code>{field}</code>" in text, (name, field)


def test_a_message_shows_its_topic_headers_and_fields(reader: TestClient) -> None:
    for name in _MESSAGES:
        text = html(reader, f"/docs/events/{name}")
        payload = asyncapi()["components"]["messages"][name]["payload"]["$ref"].rpartition("/")[2]
        fields = asyncapi()["components"]["schemas"][payload].get("properties", {})
        assert "<code>ce_id</code>" in text
        assert [field for field in fields if f"<code>{field}</code>" not in text] == [], name


def test_a_search_finds_by_name_path_and_description(reader: TestClient) -> None:
    assert re.findall(r'href="/docs/api/([^"]+)"', html(reader, "/docs/api?q=INTERACTIONS/COMPLETE")) == [
        "complete_interaction_api_customers_interactions_complete_post"
    ]
    assert re.findall(r'href="/docs/events/([^"]+)"', html(reader, "/docs/events?q=feature_flag")) == [
        "customers.feature_flag.set"
    ]
    nothing = html(reader, "/docs/api?q=%3Cscript%3Ex")
    assert "/docs/api/" not in nothing
    assert "<script" not in nothing


def test_what_does_not_exist_is_not_found(reader: TestClient) -> None:
    assert reader.get("/docs/api/none").status_code == 404
    assert reader.get("/docs/events/none").status_code == 404


def test_the_documents_are_served(reader: TestClient) -> None:
    assert reader.get("/asyncapi.json").json() == asyncapi()
    assert reader.get("/openapi.json").json() == openapi()


@pytest.mark.parametrize(
    ("node", "words", "limits"),
    [
        ({"type": "string", "format": "uuid"}, "uuid", ()),
        (
            {"anyOf": [{"type": "null"}, {"type": "integer", "minimum": 0.0}]},
            "integer or null",
            ("at least 0",),
        ),
        ({"enum": ["a", 1]}, '"a" | 1', ()),
        ({"type": "array", "items": {"$ref": "#/x/Y"}, "maxItems": 3}, "list of Y", ("at most 3 items",)),
        ({"type": "object", "additionalProperties": {"type": "string"}}, "map of string", ()),
        ({"type": "object"}, "object", ()),
        ({}, "any value", ()),
    ],
)
def test_types_and_limits(node: Mapping[str, Any], words: str, limits: tuple[str, ...]) -> None:
    field = field_of("it", node, required=False)
    assert "".join(part.text for part in field.parts) == words
    assert field.limits == limits


def test_objects_inside_objects_have_tables_of_their_own() -> None:
    schemas: dict[str, dict[str, Any]] = {
        "A": {
            "properties": {
                "b": {"anyOf": [{"$ref": "#/B"}, {"type": "null"}]},
                "c": {"type": "array", "items": {"properties": {"a": {"$ref": "#/A"}}}},
            }
        },
        "B": {"properties": {"n": {"type": "integer"}}},
    }
    tables = tables_of(schemas, [("", {"$ref": "#/A"})])
    assert [table.name for table in tables] == ["A", "B", "A.c"]
    assert [part.target for part in tables[0].fields[1].parts] == [None, "A.c"]


def test_descriptions_are_text() -> None:
    assert prose("One <b>.\nTwo.\n\n``x < y``") == "<p>One &lt;b&gt;. Two.</p><p><code>x &lt; y</code></p>"
    assert first_sentence("Add `a`: 201. It is new.\n\nMore.") == "Add <code>a</code>: 201."
