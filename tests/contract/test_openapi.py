"""The OpenAPI document: committed as it is, and never taking back what a release promised."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from api.openapi import COMMITTED, current_document, render
from api.openapi_compatibility import broken_promises

CURRENT = current_document()
RELEASED = sorted((COMMITTED.parent / "openapi-released").glob("*.json"))


def test_the_committed_document_is_this_code() -> None:
    assert COMMITTED.read_text() == render(CURRENT), "run: python -m api.openapi --write"


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.stem)
def test_no_promise_is_broken(released: Path) -> None:
    assert broken_promises(json.loads(released.read_text()), CURRENT) == []


def test_there_is_a_released_document() -> None:
    assert RELEASED


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
    assert broken_promises(old, new)
    assert broken_promises(old, old) == []
