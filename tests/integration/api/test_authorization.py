"""Every route of the route table rejects unauthorized callers and leaks nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx2
import jwt
import pytest
from pydantic import SecretStr

from api.app import make_app
from api.authorization import OPEN, Requirement, api_routes, requirement_of
from runtime.gateway_settings import GatewaySettings
from runtime.settings import Settings
from tests.harness.gateway import ALL_FEATURES, SECRET, Gateway, token
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id, outcomes
from tests.integration.api.signal_desk import attach_draft

pytestmark = pytest.mark.integration

APP = make_app(Settings(), GatewaySettings(jwt_secret=SecretStr(SECRET)))
DOCUMENT: dict[str, Any] = APP.openapi()
TABLE = [
    (method, route.path_format, requirement_of(route) or Requirement())
    for route in api_routes(APP)
    for method in sorted(route.methods or ())
    if route.path not in OPEN
]
IDS = [f"{method} {path}" for method, path, _ in TABLE]
_ANY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
EVERYTHING = (*ALL_FEATURES, "audit_logs.undo_tenant", "*")


def _forged() -> str:
    """A token whose header declares no signature (``alg: none``)."""
    claims = {"sub": "x", "tenantId": TENANT, "organizationId": ORGANIZATION, "exp": 4_000_000_000}
    return jwt.encode(claims, "", algorithm="none")


WRONG_TOKENS = {
    "none": None,
    "empty": ".",
    "nonsense": "abc.def.ghi",
    "unsigned": _forged(),
    "expired": token(expires_in=-60),
    "wrong signature": token(secret="another secret that is also long enough"),
    "no expiry": token(exp=None),
    "no subject": token(sub=None),
    "no tenant": token(tenantId=None),
    "no organization": token(organizationId=None),
    "tenant is no id": token(tenant="1"),
    "features are no list": token(features="customers.view"),
}


@pytest.fixture(scope="module")
def known(pipeline: Settings, gateway: Gateway) -> dict[str, str]:
    """One id of each resource in the tests' tenant."""
    ids = {name: new_id() for name in ("person", "company", "deal", "interaction", "signal")}
    person, deal = ids["person"], ids["deal"]
    results = outcomes(
        pipeline,
        [
            event("entity.upsert", person, {"id": person, "kind": "person", "displayName": "Hidden name"}),
            event(
                "entity.upsert",
                ids["company"],
                {"id": ids["company"], "kind": "company", "displayName": "Hidden name"},
            ),
            event("deal.upsert", person, {"id": deal, "title": "Hidden title"}),
            event(
                "interaction.create",
                person,
                {
                    "id": ids["interaction"],
                    "interactionType": "call",
                    "title": "Hidden title",
                    "scheduledAt": "2026-01-02T09:00:00Z",
                },
            ),
        ],
    )
    assert [result["outcome"] for result in results] == ["applied"] * 4
    ids["draft"] = attach_draft(pipeline, person, ids["interaction"], ids["signal"], title="Hidden title")
    ids["command"] = results[3]["commandId"]
    ids["undo"] = results[3]["undoToken"]
    return ids


@pytest.fixture(scope="module")
def anybody(gateway: Gateway) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=gateway.url, timeout=30) as found:
        yield found


def test_the_table_is_the_document() -> None:
    described = {
        (method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in operations
    }
    assert {(method, path) for method, path, _ in TABLE} == {
        (method, path) for method, path in described if path not in OPEN
    }
    assert len(TABLE) >= 12


@pytest.mark.parametrize(("method", "path", "guard"), TABLE, ids=IDS)
def test_without_a_valid_token(
    anybody: httpx2.Client, known: dict[str, str], method: str, path: str, guard: Requirement
) -> None:
    for name, bearer in WRONG_TOKENS.items():
        headers = {"Authorization": f"Bearer {bearer}"} if bearer is not None else {}
        answer = anybody.request(method, _fill(path, known), headers=headers)
        assert answer.status_code == 401, (name, answer.text)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["error"] == "Unauthorized"
    basic = anybody.request(method, _fill(path, known), headers={"Authorization": f"Basic {token()}"})
    assert basic.status_code == 401


@pytest.mark.parametrize(("method", "path", "guard"), TABLE, ids=IDS)
def test_without_the_feature(
    anybody: httpx2.Client, known: dict[str, str], method: str, path: str, guard: Requirement
) -> None:
    if not guard.any_of:
        pytest.skip("any valid token will do")
    others = [name for name in ALL_FEATURES if name not in guard.any_of]
    headers = {"Authorization": f"Bearer {token(features=others)}"}
    answer = anybody.request(method, _fill(path, known), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "Forbidden")


@pytest.mark.parametrize("foreign", ["tenant", "organization"])
@pytest.mark.parametrize(("method", "path", "guard"), TABLE, ids=IDS)
def test_from_elsewhere(
    anybody: httpx2.Client, known: dict[str, str], method: str, path: str, guard: Requirement, foreign: str
) -> None:
    """Ids of another scope get the same status and body as unused ids."""
    if path == "/api/customers/stream":
        pytest.skip("it has no end; what a stream tells to whom is tested with the streams")
    elsewhere: dict[str, Any] = {foreign: new_id()}
    headers = {"Authorization": f"Bearer {token(features=EVERYTHING, **elsewhere)}"}
    unknown = {name: new_id() for name in known}
    unknown["undo"] = "u.bm9uZQ"
    answers = [_call(anybody, method, path, ids, headers) for ids in (known, unknown)]
    assert answers[0].status_code == answers[1].status_code
    assert _masked(answers[0]) == _masked(answers[1])
    assert "Hidden" not in answers[0].text
    if answers[0].is_success and method == "GET":
        assert not any(identity in answers[0].text for identity in known.values())


def _fill(path: str, ids: dict[str, str]) -> str:
    for part, value in (
        ("{command_id}", ids["command"]),
        ("{interaction_id}", ids["interaction"]),
        ("{deal_id}", ids["deal"]),
        ("{signal_id}", ids["signal"]),
        ("{draft_id}", ids["draft"]),
        ("{company_id}", ids["company"]),
    ):
        path = path.replace(part, value)
    while "{" in path:
        kind = "company" if "companies" in path else "interaction" if "interactions" in path else "person"
        path = path[: path.index("{")] + ids[kind] + path[path.index("}") + 1 :]
    return path


def _call(
    client: httpx2.Client, method: str, path: str, ids: dict[str, str], headers: dict[str, str]
) -> httpx2.Response:
    operation = DOCUMENT["paths"][path][method.lower()]
    query = {
        parameter["name"]: _value(parameter["name"], parameter["schema"], path, ids)
        for parameter in operation.get("parameters", [])
        if parameter["in"] == "query" and (parameter.get("required") or parameter["name"].endswith("Id"))
    }
    options: dict[str, Any] = {}
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        options["json"] = _body(_resolve(schema), path, ids)
    return client.request(method, _fill(path, ids), params=query, headers=headers, **options)


def _body(schema: dict[str, Any], path: str, ids: dict[str, str]) -> dict[str, Any]:
    names = schema.get("required", [])
    return {name: _value(name, _resolve(schema["properties"][name]), path, ids) for name in names}


def _resolve(schema: dict[str, Any]) -> dict[str, Any]:
    for part in schema.get("anyOf", schema.get("allOf", [])):
        if part.get("type") != "null":
            return _resolve(part)
    if "$ref" in schema:
        return _resolve(DOCUMENT["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]])
    return schema


def _value(name: str, schema: dict[str, Any], path: str, ids: dict[str, str]) -> Any:
    schema = _resolve(schema)
    if name == "undoToken":
        return ids["undo"]
    if name == "dealId" or (name == "id" and "deals" in path):
        return ids["deal"]
    if name in ("entityId", "customerId"):
        return ids["person"]
    for kind in ("interaction", "signal", "draft"):
        if name == f"{kind}Id" or (name == "id" and f"{kind}s" in path):
            return ids[kind]
    if name == "id" or name.endswith("Id"):
        kind = "person" if "people" in path else "company" if "companies" in path else "interaction"
        return ids[kind]
    if "enum" in schema or "const" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    plain = {"boolean": True, "integer": 1, "number": 1, "array": [], "object": {}}
    text = "customers.interactions.external-sync" if name == "flag" else "call"
    return plain.get(schema.get("type", "string"), text)


def _masked(answer: httpx2.Response) -> str:
    """The body without the members that differ between requests."""
    return _MOMENT.sub("<moment>", _ANY_ID.sub("<id>", answer.text))
