"""Schemas and annotations of the tools."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from api.assistant.tools.catalog import TOOLS, WRITES
from api.assistant.tools.read_tools import WriteName
from api.assistant.tools.tool import ReadTool, WriteTool
from schemas.values import Title

ID = "11111111-1111-4111-8111-111111111111"
KEY = "a-key-of-a-test"


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        for part in schema.values():
            yield from objects(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from objects(part)


def test_few_tools_in_a_fixed_order() -> None:
    assert 1 < len(TOOLS) <= 18
    assert next(iter(TOOLS)) == "find_customers"
    assert list(TOOLS)[-1] == "get_command_outcome"
    assert set(get_args(WriteName)) == set(WRITES)
    assert all(re.fullmatch(r"[a-z_]{1,64}", name) for name in TOOLS)


@pytest.mark.parametrize("name", TOOLS)
def test_a_schema_is_closed_and_valid(name: str) -> None:
    described = TOOLS[name].described
    for schema in (described.input_schema, described.output_schema):
        assert schema is not None
        Draft202012Validator.check_schema(schema)
        assert schema["type"] == "object"
    found = list(objects(described.input_schema))
    assert found
    assert all(schema["additionalProperties"] is False for schema in found), described.input_schema


@pytest.mark.parametrize("name", WRITES)
def test_a_write_requires_a_key_and_has_no_default(name: str) -> None:
    schema = WRITES[name].described.input_schema
    assert "requestKey" in schema["required"]
    assert '"default"' not in str(schema).replace("'", '"')
    limits = schema["properties"]["requestKey"]
    for bad in ("", "short", "with space", "x" * 129, "line\nfeed-12", 'quoted-"key"', "next of me"):
        assert not Draft202012Validator(limits).is_valid(bad), bad
    assert Draft202012Validator(limits).is_valid(ID)


@pytest.mark.parametrize("name", TOOLS)
def test_all_annotations_are_set(name: str) -> None:
    hints = TOOLS[name].described.annotations
    assert hints is not None
    given = (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
    assert None not in given
    reading = isinstance(TOOLS[name], ReadTool)
    assert given == (reading, name in DESTRUCTIVE, True, False)


DESTRUCTIVE = {"cancel_interaction", "delete_interaction", "undo"}


def test_destructive_and_bulk_changes_need_a_confirmation() -> None:
    def confirms(name: str, **arguments: Any) -> bool:
        tool = WRITES[name]
        return tool.confirm(tool.arguments.model_validate({"requestKey": KEY, **arguments}))

    for name in ("cancel_interaction", "delete_interaction"):
        assert confirms(name, id=ID)
    assert confirms("undo", undoToken="u.x")
    assert not confirms("fix_interaction", id=ID, signals=[{"id": ID, "title": "x"}])
    assert confirms("fix_interaction", id=ID, signals=[{"id": ID, "title": "x"}] * 2)
    for name, tool in WRITES.items():
        asks = "confirmation" in tool.arguments.model_fields
        assert asks == (name in DESTRUCTIVE or name == "fix_interaction")


def test_a_property_called_title_survives_and_limits_are_those_of_the_routes() -> None:
    properties = TOOLS["update_interaction"].described.input_schema["properties"]
    (text, _) = properties["title"]["anyOf"]
    assert text == {"type": "string", "maxLength": Title.__metadata__[0].max_length}  # type: ignore[attr-defined]
    assert "title" not in properties["priority"]


@pytest.mark.parametrize("name", WRITES)
def test_the_body_of_a_request_has_no_key_in_it(name: str) -> None:
    tool = WRITES[name]
    bodies: dict[str, dict[str, Any]] = {
        "plan_interaction": {"entityId": ID, "interactionType": "call"},
        "undo": {"undoToken": "u.x"},
        "resolve_signal": {"id": ID, "channel": "text"},
        "complete_interaction": {"id": ID, "next": {"interactionType": "call"}},
    }
    given = bodies.get(name, {"id": ID})
    sent: dict[str, Any] = {"requestKey": KEY, **given}
    if "expected_version" in tool.arguments.model_fields:
        sent["expectedVersion"] = 3
    if "confirmation" in tool.arguments.model_fields:
        sent["confirmation"] = "0" * 32
    request = tool.request(tool.arguments.model_validate(sent))
    body = {name: value for name, value in given.items() if name != "next"}
    assert (request.params if tool.method == "DELETE" else request.body) == body


def test_every_tool_is_of_a_kind() -> None:
    assert all(isinstance(tool, ReadTool | WriteTool) for tool in TOOLS.values())
