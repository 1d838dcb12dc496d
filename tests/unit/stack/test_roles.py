"""Parser of ``--roles``."""

from __future__ import annotations

import os

import pytest

from schemas.errors import Stop
from stack.roles import default_roles, parse_roles


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("applier,relay,timers", {"applier": 1, "relay": 1, "timers": 1}),
        ("relay, applier=2", {"applier": 2, "relay": 1}),
        ("applier=0,relay", {"relay": 1}),
        ("none", {}),
        ("", {}),
    ],
)
def test_counts(text: str, counts: dict[str, int]) -> None:
    assert parse_roles(text) == counts


@pytest.mark.parametrize("text", ["aplier", "applier=two", "applier=-1", "applier=33", "applier=²"])
def test_what_is_not_a_role_or_a_count_is_refused(text: str) -> None:
    with pytest.raises(Stop):
        parse_roles(text)


@pytest.mark.parametrize(("cores", "appliers"), [(None, 1), (1, 1), (2, 2), (8, 2)])
def test_two_appliers_run_where_there_are_two_cores(
    cores: int | None, appliers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    others = dict.fromkeys(("relay", "timers", "drafts", "watch", "jobs", "gateway"), 1)
    assert parse_roles(default_roles()) == {"applier": appliers, **others}
