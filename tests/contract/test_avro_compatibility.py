"""The compatibility check finds every kind of breaking schema change."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from schemas.avro_schemas import avro_schemas
from tests.contract.avro_compatibility import incompatibilities

NAME = "customers.interaction.updated"
Change = Callable[[dict[str, Any]], None]


def _field(schema: dict[str, Any], *path: str) -> dict[str, Any]:
    for name in path[:-1]:
        branch = _field(schema, name)["type"]
        schema = branch[1] if isinstance(branch, list) else branch
    found: dict[str, Any] = next(field for field in schema["fields"] if field["name"] == path[-1])
    return found


def _both(change: Change) -> tuple[list[str], list[str]]:
    old = avro_schemas()[NAME]
    new = copy.deepcopy(old)
    change(new)
    return incompatibilities(new, old), incompatibilities(old, new)


def _add(field: dict[str, Any]) -> Change:
    return lambda schema: schema["fields"].append(field)


def _retype(path: tuple[str, ...], kind: Any) -> Change:
    return lambda schema: _field(schema, *path).update(type=kind)


def _drop(name: str) -> Change:
    return lambda schema: schema["fields"].remove(_field(schema, name))


@pytest.mark.parametrize(
    "change",
    [
        lambda schema: None,
        _add({"name": "channel", "type": ["null", "string"], "default": None}),
        _add({"name": "urgent", "type": "boolean", "default": False}),
        _drop("source"),
        _drop("syncOrigin"),
        lambda schema: schema["fields"].reverse(),
    ],
    ids=["same", "optional-added", "flag-added", "optional-dropped", "origin-dropped", "reordered"],
)
def test_harmless_changes_pass_both_ways(change: Change) -> None:
    assert _both(change) == ([], [])


@pytest.mark.parametrize(
    ("change", "backward", "forward"),
    [
        (_add({"name": "channel", "type": "string"}), "/channel: is not in what was written", None),
        (_drop("reason"), None, "/reason: is not in what was written"),
        (_retype(("version",), "string"), "/version: long", "/version: string"),
        (_retype(("source",), "string"), "/source: null cannot be read", None),
        (_retype(("reason",), ["null", "string"]), None, "/reason: null cannot be read"),
        (_retype(("recordedAt",), "long"), "/recordedAt: logical type", "/recordedAt: logical type"),
        (_retype(("version",), "double"), None, "/version: double"),
        (lambda s: s.update(name="changed"), ": record", ": record"),
        (_retype(("before", "priority"), ["null", "string"]), "/before/priority", "/before/priority"),
        (_retype(("changedFields",), {"type": "array", "items": "int"}), "[]: string", "[]: int"),
    ],
    ids=[
        "required-added", "required-dropped", "retyped", "no-longer-null", "now-null", "instant-lost",
        "promoted", "renamed", "nested-retyped", "items-retyped",
    ],
)  # fmt: skip
def test_breaking_changes_are_named(change: Change, backward: str | None, forward: str | None) -> None:
    for problems, wanted in zip(_both(change), (backward, forward), strict=True):
        if wanted is None:
            assert problems == []
        else:
            assert any(wanted in problem for problem in problems), problems
