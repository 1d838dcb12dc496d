"""Digests of confirmations: they fit one call and one state of the rows."""

from __future__ import annotations

from typing import Any

import pytest

from api.assistant.confirmation import digest
from api.assistant.tools.catalog import WRITES

ARGUMENTS: dict[str, Any] = {"id": "a", "requestKey": "k", "signals": [{"id": "b", "title": "x"}]}


def test_the_same_call_has_the_same_digest() -> None:
    first = digest("fix_interaction", ARGUMENTS, [1, ["b", 2]])
    assert digest("fix_interaction", dict(reversed(ARGUMENTS.items())), [1, ["b", 2]]) == first
    schema = WRITES["fix_interaction"].arguments
    schema.model_validate(
        {"id": "11111111-1111-4111-8111-111111111111", "requestKey": "12345678", "confirmation": first}
    )


@pytest.mark.parametrize(
    ("tool", "arguments", "versions"),
    [
        ("delete_interaction", ARGUMENTS, [1, ["b", 2]]),
        ("fix_interaction", {**ARGUMENTS, "id": "c"}, [1, ["b", 2]]),
        ("fix_interaction", {**ARGUMENTS, "requestKey": "other"}, [1, ["b", 2]]),
        ("fix_interaction", {**ARGUMENTS, "signals": [{"id": "b", "title": "y"}]}, [1, ["b", 2]]),
        ("fix_interaction", ARGUMENTS, [2, ["b", 2]]),
        ("fix_interaction", ARGUMENTS, [1, ["b", 3]]),
        ("fix_interaction", ARGUMENTS, [1]),
    ],
)
def test_any_difference_changes_the_digest(tool: str, arguments: dict[str, Any], versions: list[Any]) -> None:
    assert digest(tool, arguments, versions) != digest("fix_interaction", ARGUMENTS, [1, ["b", 2]])
