"""Commands of the timers: the same id for a while, another one for what still waits later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sinks.due import DueInteraction
from streams.timers.timers import _mark_due

_AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
_ITEM = DueInteraction("i", "t", "o", "e", 1, _AT)


def _id_after(hours: float) -> str:
    return str(dict(_mark_due(_ITEM, "due", _AT + timedelta(hours=hours)).headers)["ce_id"])


def test_an_interaction_that_is_still_not_marked_gets_another_command() -> None:
    """The first one may have arrived while the broker's clock was behind the database's."""
    assert [_id_after(hours) for hours in (0, 0.5, 0.99)] == [_id_after(0)] * 3
    assert _id_after(2.1) == _id_after(3.9)
    assert len({_id_after(hours) for hours in (0, 1, 2, 4, 8, 1000)}) == 6
