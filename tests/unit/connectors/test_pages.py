"""A poll reads pages as long as the cursor advances."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from connectors.sdk.remote import ChangePage, RemoteChange
from connectors.sync.pages import every_page, read_pages
from schemas.errors import NeedsAuth, Retry


class Pager:
    """Provider that counts the pages it was asked for."""

    def __init__(self, answer: Callable[[str | None], ChangePage]) -> None:
        self.asked = 0
        self._answer = answer

    def changes(self, cursor: str | None) -> ChangePage:
        self.asked += 1
        assert self.asked < 1000, "the poll does not end"
        return self._answer(cursor)


def _session(pager: Pager) -> Any:
    return SimpleNamespace(provider=pager, declaration=SimpleNamespace(title="The server"))


def _unused(_: ChangePage) -> None:
    """Ignore the page; :class:`Listing` has its own tests."""


def _change(identity: str) -> RemoteChange:
    return RemoteChange(event_id=identity, external_id=identity, occurred_at=None)


def test_the_same_cursor_without_a_change_is_tried_again_later() -> None:
    """A collection always answers 507 with the token it was given (RFC 6578 section 3.6)."""
    pager = Pager(lambda _: ChangePage(changes=(), cursor="t", more=True))
    with pytest.raises(Retry, match="does not advance"):
        read_pages(_session(pager), "t", _unused)
    assert pager.asked == 1


@pytest.mark.parametrize("cursors", [iter("t" * 999), iter(map(str, range(999)))], ids=["same", "new"])
def test_a_plan_ends_although_the_cursor_does_not(cursors: Iterator[str]) -> None:
    pager = Pager(lambda _: ChangePage(changes=(), cursor=next(cursors), more=True))
    with pytest.raises(Retry, match="does not advance"):
        list(every_page(_session(pager)))
    assert pager.asked <= 100


def test_a_plan_reads_a_listing_of_any_length() -> None:
    def answer(cursor: str | None) -> ChangePage:
        number = int(cursor or 0) + 1
        return ChangePage(changes=(_change(str(number)),), cursor=str(number), more=number < 300)

    assert len(list(every_page(_session(Pager(answer))))) == 300


def test_what_came_before_the_standstill_is_kept() -> None:
    def answer(cursor: str | None) -> ChangePage:
        return ChangePage(changes=(_change(f"after {cursor}"),), cursor="t", more=True)

    pager = Pager(answer)
    pages = read_pages(_session(pager), None, _unused)
    assert isinstance(pages.stopped, Retry)
    assert [change.external_id for change in pages.changes] == ["after None", "after t"]
    assert (pages.cursor, pager.asked) == ("t", 2)


@pytest.mark.parametrize("length", [2, 5])
def test_cursors_that_go_round_in_a_circle_end(length: int) -> None:
    def answer(cursor: str | None) -> ChangePage:
        return ChangePage(changes=(), cursor=str((int(cursor or 0) + 1) % length), more=True)

    pager = Pager(answer)
    pages = read_pages(_session(pager), "0", _unused)
    assert isinstance(pages.stopped, Retry)
    assert pager.asked == length


def test_new_cursors_without_end_end_too() -> None:
    pager = Pager(lambda cursor: ChangePage(changes=(), cursor=f"{cursor}x", more=True))
    pages = read_pages(_session(pager), "t", _unused)
    assert isinstance(pages.stopped, Retry)
    assert pager.asked == 100


def test_many_pages_of_changes_are_read_in_several_polls() -> None:
    def answer(cursor: str | None) -> ChangePage:
        number = int(cursor or 0) + 1
        return ChangePage(changes=(_change(str(number)),), cursor=str(number), more=number < 150)

    pages = read_pages(_session(Pager(answer)), None, _unused)
    assert (len(pages.changes), pages.cursor, pages.stopped) == (100, "100", None)
    pages = read_pages(_session(Pager(answer)), pages.cursor, _unused)
    assert (len(pages.changes), pages.cursor, pages.stopped) == (50, "150", None)


def test_pages_before_a_failure_are_not_read_again() -> None:
    def answer(cursor: str | None) -> ChangePage:
        if cursor == "1":
            raise Retry("out of time")
        return ChangePage(changes=(_change("a"),), cursor="1", more=True)

    pages = read_pages(_session(Pager(answer)), None, _unused)
    assert (pages.cursor, len(pages.changes), str(pages.stopped)) == ("1", 1, "out of time")


@pytest.mark.parametrize("error", [Retry("down"), NeedsAuth("no")])
def test_a_failure_at_the_first_page_is_the_polls(error: Exception) -> None:
    def answer(_: str | None) -> ChangePage:
        raise error

    with pytest.raises(type(error)):
        read_pages(_session(Pager(answer)), "t", _unused)
