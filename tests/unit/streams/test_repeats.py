"""Repetitions of a timer command that had no effect, and room for the rows behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from sinks.due import DueInteraction, LateResolution
from streams.timers import timers
from streams.timers.repeats import Repeats

_ROW = "0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def _sendings(repeats: Repeats, clock: Clock, until: int) -> list[float]:
    """Seconds at which the command of a row that stays in the queue is sent, with a look per second."""
    found = []
    for second in range(until):
        clock.now = float(second)
        if _ROW not in repeats.left_out() and repeats.due(_ROW, 1):
            repeats.sent(_ROW, 1)
            found.append(clock.now)
    return found


def test_pauses_double_up_to_an_hour() -> None:
    clock = Clock()
    expected = [0, 60, 180, 420, 900, 1860, 3780, 7380, 10980]
    assert _sendings(Repeats(clock), clock, 11_000) == expected


def test_a_row_without_effect_is_left_out_until_its_next_repetition() -> None:
    clock = Clock()
    repeats = Repeats(clock)
    _sendings(repeats, clock, 180)
    assert repeats.left_out() == []
    _sendings(repeats, clock, 181)
    assert repeats.left_out() == [_ROW]
    clock.now = 419.0
    assert repeats.left_out() == [_ROW]
    clock.now = 420.0
    assert repeats.left_out() == []
    assert repeats.due(_ROW, 1)


def test_another_version_is_another_command_and_a_marked_row_is_forgotten() -> None:
    clock = Clock()
    repeats = Repeats(clock)
    repeats.sent(_ROW, 1)
    assert not repeats.due(_ROW, 1)
    assert repeats.due(_ROW, 2)
    clock.now = 121.0
    assert repeats.left_out() == []
    assert repeats._sent == {}


def test_a_command_that_changed_nothing_is_no_duplicate_an_hour_later() -> None:
    item = DueInteraction(_ROW, _ROW, _ROW, _ROW, 3)
    late = LateResolution(_ROW, _ROW, _ROW, _ROW, 3)
    now = datetime(2026, 3, 29, 1, 59, 59, tzinfo=UTC)
    for build in (partial(timers._mark_due, item, "due"), partial(timers._fail_draft, late)):
        ids = [
            dict(build(now=at).headers)["ce_id"]
            for at in (now, now.replace(second=0), now.replace(hour=2, minute=0))
        ]
        assert ids[0] == ids[1]
        assert ids[0] != ids[2]
