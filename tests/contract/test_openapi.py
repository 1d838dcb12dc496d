"""The OpenAPI document: the committed file is up to date, and breaking changes are found."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from api.openapi import COMMITTED, current_document, render
from tests.contract.openapi_compatibility import breaking_changes

CURRENT = current_document()


def test_the_committed_document_is_this_code() -> None:
    assert COMMITTED.read_text() == render(CURRENT), "run: python -m api.openapi --write"


def _without_path(document: dict[str, Any]) -> None:
    del document["paths"]["/api/customers/interactions/complete"]


def _without_parameter(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/customers/interactions"]["get"]
    operation["parameters"] = [item for item in operation["parameters"] if item["name"] != "search"]


def _required_parameter(document: dict[str, Any]) -> None:
    for item in document["paths"]["/api/customers/interactions"]["get"]["parameters"]:
        item["required"] = True


def _without_field(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["InteractionCreateBody"]["properties"]["title"]


def _required_field(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["InteractionCreateBody"]["required"].append("title")


def _without_member(document: dict[str, Any]) -> None:
    del document["components"]["schemas"]["InteractionPage"]["properties"]["nextCursor"]


def _other_status(document: dict[str, Any]) -> None:
    responses = document["paths"]["/api/customers/interactions"]["post"]["responses"]
    responses["200"] = responses.pop("201")


def _other_feature(document: dict[str, Any]) -> None:
    operation = document["paths"]["/api/customers/interactions"]["get"]
    operation["x-required-features"] = {"anyOf": ["customers.admin"]}


@pytest.mark.parametrize(
    "change",
    [
        _without_path,
        _without_parameter,
        _required_parameter,
        _without_field,
        _required_field,
        _without_member,
        _other_status,
        _other_feature,
    ],
)
def test_a_broken_promise_is_found(change: Any) -> None:
    old, new = CURRENT, copy.deepcopy(CURRENT)
    change(new)
    assert breaking_changes(old, new)
    assert breaking_changes(old, old) == []


def test_every_answer_is_typed() -> None:
    """A schema that allows anything would make the conformance test vacuous."""
    parts = CURRENT["components"]["schemas"]
    for path, item in CURRENT["paths"].items():
        for method, operation in item.items():
            for status in {"200", "201"} & set(operation["responses"]):
                content = operation["responses"][status].get("content", {})
                if "security" in operation and "application/json" in content:
                    assert "$ref" in content["application/json"]["schema"], (method, path)
    for name in ("Interaction", "InteractionPage", "CommandFate", "FirstOutcome", "Activity", "Todo"):
        assert parts[name]["additionalProperties"] is False, name
    page = parts["InteractionPage"]["properties"]["items"]["items"]
    detail = parts["PersonDetail"]["properties"]["interactions"]["items"]
    assert page == detail == {"$ref": "#/components/schemas/Interaction"}


def test_headers_of_locks_keys_and_deprecation_are_described() -> None:
    def named(path: str, method: str) -> set[str]:
        found = CURRENT["paths"][path][method].get("parameters", [])
        return {parameter["name"] for parameter in found if parameter["in"] == "header"}

    lock = {"If-Match", "x-om-ext-optimistic-lock-expected-updated-at"}
    base = "/api/customers/interactions"
    assert named(base, "put") == named(f"{base}/complete", "post") == {*lock, "Idempotency-Key"}
    assert named(base, "post") == {"Idempotency-Key"}
    assert named(base, "get") == set()
    assert named("/api/customers/todos", "put") == lock
    for path, item in CURRENT["paths"].items():
        for operation in item.values():
            for answer in operation["responses"].values():
                told = {"Deprecation", "Sunset", "Link"} <= set(answer.get("headers", ()))
                assert told == bool(operation.get("deprecated")), path
