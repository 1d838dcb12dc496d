"""Three-way merge, field by field."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.sdk.declaration import MirroredField
from connectors.sync.merge import LocalSide, Merge, RemoteSide, Side, merge
from connectors.sync.values import Agreed

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
TITLE = MirroredField(name="title", remote_name="name")
STATUS = MirroredField(name="status", remote_name="done")


def _date(value: datetime | None) -> datetime | None:
    return value.replace(hour=0, minute=0) if value else None


def _keep_time(local: datetime | None, remote: datetime | None) -> datetime | None:
    return remote.replace(hour=local.hour, minute=local.minute) if local and remote else remote


DUE = MirroredField(
    name="scheduled_at", remote_name="due", coarse=_date, refine=_keep_time, loss="the time of day"
)


def merged(
    mirrored: MirroredField,
    base: tuple[Any, Any] | None,
    local: Any,
    remote: Any,
    *,
    changed_at: datetime | None = LATER,
    resolutions: dict[str, Side] | None = None,
    refused: dict[str, Any] | None = None,
) -> Merge:
    name = mirrored.name
    return merge(
        [mirrored],
        {name: Agreed(*base)} if base is not None else {},
        LocalSide(values={name: local}, as_of={name: NOW}),
        RemoteSide(values={name: remote}, changed_at=changed_at),
        resolutions=resolutions,
        refused=refused,
    )


def test_one_sides_change_travels() -> None:
    assert merged(TITLE, ("a", "a"), "b", "a").push == {"title": "b"}
    assert merged(TITLE, ("a", "a"), "a", "b").pull == {"title": Agreed("b", "b")}


def test_nothing_travels_where_both_agree() -> None:
    for base in (None, ("a", "a"), ("b", "b")):
        result = merged(TITLE, base, "b", "b")
        assert (result.push, result.pull, result.conflicts) == ({}, {}, [])
        assert result.agreed == {"title": Agreed("b", "b")}


def test_an_emptied_field_is_a_change() -> None:
    assert merged(TITLE, ("a", "a"), None, "a").push == {"title": None}
    assert merged(TITLE, ("a", "a"), "a", None).pull == {"title": Agreed(None, None)}


def test_both_changed_is_a_conflict_for_a_person() -> None:
    result = merged(TITLE, ("a", "a"), "b", "c")
    assert [(one.name, one.local, one.remote) for one in result.conflicts] == [("title", "b", "c")]
    assert not result.push
    assert not result.pull
    assert merged(TITLE, ("a", "a"), "b", "c", resolutions={"title": "local"}).push == {"title": "b"}
    assert merged(TITLE, ("a", "a"), "b", "c", resolutions={"title": "remote"}).pull == {
        "title": Agreed("c", "c")
    }


@pytest.mark.parametrize(
    ("changed_at", "wins"), [(LATER, True), (NOW, True), (NOW - timedelta(1), False), (None, False)]
)
def test_the_later_change_of_a_guarded_field_wins(changed_at: datetime | None, wins: bool) -> None:
    result = merged(STATUS, ("planned", "planned"), "done", "canceled", changed_at=changed_at)
    assert not result.conflicts
    assert bool(result.pull) is wins
    assert bool(result.push) is not wins


def test_without_a_base_the_interaction_holds() -> None:
    assert merged(TITLE, None, "b", "c").push == {"title": "b"}


def test_the_finer_value_stays() -> None:
    nine, ten = NOW.replace(hour=9), NOW.replace(hour=10)
    day, next_day = _date(NOW), NOW.replace(hour=0) + timedelta(days=1)
    assert merged(DUE, (nine, day), nine, day).agreed == {"scheduled_at": Agreed(nine, day)}
    finer = merged(DUE, (nine, day), ten, day)
    assert not finer.push, "the provider cannot store the detail that changed"
    assert finer.agreed == {"scheduled_at": Agreed(ten, day)}
    moved = merged(DUE, (nine, day), nine, next_day)
    assert moved.pull == {"scheduled_at": Agreed(nine + timedelta(days=1), next_day)}


def test_a_refused_value_stays_in_dispute_until_it_changes() -> None:
    assert merged(TITLE, ("a", "a"), "a", "x", refused={"title": "x"}).conflicts
    assert merged(TITLE, ("a", "a"), "a", "y", refused={"title": "x"}).pull
    assert merged(
        TITLE, ("a", "a"), "a", "x", refused={"title": "x"}, resolutions={"title": "local"}
    ).push == {"title": "a"}


def test_a_field_that_only_goes_out_is_never_read() -> None:
    out = MirroredField(name="title", remote_name="name", direction="out")
    assert not merged(out, ("a", "a"), "a", "b").pull
    assert merged(out, ("a", "a"), "c", "b").push == {"title": "c"}
    inwards = MirroredField(name="title", remote_name="name", direction="in")
    assert not merged(inwards, ("a", "a"), "c", "a").push
    assert merged(inwards, ("a", "a"), "c", "b").pull


def _unreadable(
    base: tuple[Any, Any] | None, local: Any, resolutions: dict[str, Side] | None = None
) -> Merge:
    return merge(
        [TITLE],
        {"title": Agreed(*base)} if base is not None else {},
        LocalSide(values={"title": local}, as_of={}),
        RemoteSide(values={}, changed_at=LATER),
        resolutions=resolutions,
    )


def test_a_value_that_cannot_be_read_travels_nowhere() -> None:
    found = _unreadable(("a", "a"), "a")
    assert [each.name for each in found.unreadable] == ["title"]
    assert (found.pull, found.push, found.agreed) == ({}, {}, {})


def test_a_new_local_value_or_a_decision_replaces_one_that_cannot_be_read() -> None:
    assert _unreadable(("a", "a"), "b").push == {"title": "b"}
    assert _unreadable(("a", "a"), "a", {"title": "local"}).push == {"title": "a"}


def test_a_coarser_remote_value_that_says_the_same_sends_nothing() -> None:
    morning = NOW.replace(hour=9, minute=30)
    midnight = NOW.replace(hour=0, minute=0)
    found = merged(
        MirroredField(name="scheduled_at", remote_name="due", refine=lambda here, _there: here),
        (morning, morning),
        morning,
        midnight,
    )
    assert found.agreed == {"scheduled_at": Agreed(morning, midnight)}
    assert (found.pull, found.push) == ({}, {})
