"""The sweep never uses more than its share of the time, and touched rows do not keep it from going on."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from runtime.settings import Settings
from schemas.errors import Retry
from sinks.integrity.progress import Progress
from sinks.integrity.row_checks import RowCheck
from streams.watch import late_answers, sweep
from streams.watch.late_answers import LateAnswers
from streams.watch.sweep import Sweep


class Clock:
    """A clock that a page moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Pages:
    """Pages of tables with a million rows each, read in a tenth of a second."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
        self.checked: list[tuple[str, list[str]]] = []
        self._clock = clock
        self._next = 0
        monkeypatch.setattr(sweep, "next_page", self._page)
        monkeypatch.setattr(sweep, "broken_rows", self._check)

    def _page(self, _connection: Any, _check: RowCheck, _after: str | None, size: int) -> list[str]:
        self._next += size
        return [f"row {self._next + number}" for number in range(size)]

    def _check(self, _connection: Any, check: RowCheck, ids: list[str]) -> list[Any]:
        self._clock.now += 0.1
        self.checked.append((check.subject, ids))
        return []


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Pages:
    return Pages(monkeypatch, clock)


def _sweep(clock: Clock, share: float) -> Sweep:
    nothing: Any = None
    return Sweep(nothing, Progress(0), share, clock)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_pages_take_their_share_of_the_time(pages: Pages, clock: Clock, share: float) -> None:
    sweeping = _sweep(clock, share)
    for _ in range(100):
        sweeping.run_page()
        clock.now = sweeping.resume_at
    assert len(pages.checked) * 0.1 / clock.now == pytest.approx(share, rel=0.01)


def test_touched_rows_and_the_sweep_take_turns(pages: Pages, clock: Clock) -> None:
    sweeping = _sweep(clock, 1.0)
    sweeping.touch("customer", [f"touched {number}" for number in range(30_000)])
    for _ in range(20):
        sweeping.run_page()
    touched = [ids for _, ids in pages.checked if ids[0].startswith("touched")]
    assert len(touched) == 10
    assert len({identity for ids in touched for identity in ids}) == 2000
    assert len(sweeping._touched["customer"]) == 18_000, "those that did not fit wait for the sweep"


def _late(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> tuple[LateAnswers, dict[str, Any]]:
    world: dict[str, Any] = {"late": {("s", 4): "violation"}, "ends": {0: 10}, "pending": {}}
    late = LateAnswers(Settings(), clock)
    monkeypatch.setattr(late_answers, "late_signals", lambda *_: world["late"])
    monkeypatch.setattr(late_answers, "server_time", lambda _: timedelta())
    monkeypatch.setattr(late, "_log_ends", lambda: world["ends"])
    monkeypatch.setattr(late, "_applied", lambda _: world["pending"])
    return late, world


def _look(late: LateAnswers, clock: Clock, seconds: float) -> list[Any]:
    nothing: Any = None
    clock.now += seconds
    return late.look(nothing)


def test_a_signal_is_late_once_the_timers_had_time_and_their_answer_would_be_applied(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    late, world = _late(monkeypatch, clock)
    assert [_look(late, clock, 5) for _ in range(4)] == [[]] * 4
    world["ends"] = {0: 99}
    world["pending"] = {0: 9}  # the answer may be the record at offset 9
    assert _look(late, clock, 60) == []
    world["pending"] = {0: 10}
    assert _look(late, clock, 1) == ["violation"]
    assert late.overdue == {"s"}


def test_an_answer_in_time_and_a_new_resolution_begin_from_the_start(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    late, world = _late(monkeypatch, clock)
    _look(late, clock, 0)
    world["late"] = {("s", 9): "violation"}
    assert _look(late, clock, 60) == []
    assert _look(late, clock, 1) == []
    assert _look(late, clock, 60) == []
    assert _look(late, clock, 1) == ["violation"]
    world["late"] = {}
    assert _look(late, clock, 1) == []


def test_the_time_of_an_outage_of_kafka_does_not_count(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    late, _ = _late(monkeypatch, clock)
    _look(late, clock, 0)

    def unavailable() -> Any:
        raise Retry("no broker")

    with monkeypatch.context() as outage:
        outage.setattr(late, "_log_ends", unavailable)
        assert _look(late, clock, 60) == []
    assert _look(late, clock, 1) == []
    assert _look(late, clock, 10) == []
    assert _look(late, clock, 10) == []
    assert _look(late, clock, 1) == ["violation"]
