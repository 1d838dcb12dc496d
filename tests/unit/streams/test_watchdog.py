"""The watch of a role: stalls are reported at half of the patience, and end the process at all of it."""

from __future__ import annotations

import threading

import pytest

from runtime.health import Health
from runtime.settings import Settings
from streams.heartbeat import Heartbeat
from streams.pending_work import PendingWork
from streams.stall_detector import StallDetector, _Watchdog

_STAGES = ("consumed", "applied", "results", "events")


class _Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("streams.stall_detector.time.monotonic", lambda: self.now)


def _waiting(stage: str, at: int = 7, *, mended: bool = True) -> PendingWork:
    return PendingWork(stage, "3", at, "partition 3, offset 7", 0.0, "The command waits", "Look.", mended)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    return _Clock(monkeypatch)


@pytest.mark.parametrize("stage", _STAGES)
def test_a_stage_that_stands_still_is_noticed_within_two_minutes(clock: _Clock, stage: str) -> None:
    health, standstill = Health(), StallDetector(Settings().stuck_after_seconds)
    watch = _Watchdog(Settings(), lambda _: ([], False), Heartbeat(), threading.Event(), health)
    for clock.now in range(0, 60, 5):
        assert watch._check(standstill, [_waiting(stage)], moved=False) is None
        assert health.reasons() == []
    clock.now = 60
    assert watch._check(standstill, [_waiting(stage)], moved=False) is None
    assert health.reasons() == ["The command waits, and nothing has moved there for 60 s. Look."]
    assert [stall.stage for stall in health.stalls()] == [stage]
    clock.now = 121
    stuck = watch._check(standstill, [_waiting(stage)], moved=False)
    assert stuck is not None
    assert (stuck.stage, stuck.place) == (stage, "partition 3, offset 7")


def test_what_moves_is_no_stall(clock: _Clock) -> None:
    health, standstill = Health(), StallDetector(120)
    watch = _Watchdog(Settings(), lambda _: ([], False), Heartbeat(), threading.Event(), health)
    for clock.now in range(0, 600, 5):
        assert watch._check(standstill, [_waiting("applied", at=int(clock.now))], moved=False) is None
        assert health.reasons() == []


def test_what_no_restart_mends_is_said_and_ends_nobody(clock: _Clock) -> None:
    health, standstill = Health(), StallDetector(120)
    watch = _Watchdog(Settings(), lambda _: ([], False), Heartbeat(), threading.Event(), health)
    for clock.now in range(0, 600, 5):
        assert watch._check(standstill, [_waiting("consumed", mended=False)], moved=False) is None
    assert [stall.stage for stall in health.stalls()] == ["consumed"]


def test_a_stall_that_is_over_is_forgotten(clock: _Clock) -> None:
    health, standstill = Health(), StallDetector(120)
    watch = _Watchdog(Settings(), lambda _: ([], False), Heartbeat(), threading.Event(), health)
    watch._check(standstill, [_waiting("applied")], moved=False)
    clock.now = 100
    watch._check(standstill, [_waiting("applied")], moved=False)
    assert health.stalls()
    watch._check(standstill, [], moved=True)
    assert health.reasons() == []


def test_a_watch_that_cannot_look_says_so() -> None:
    health = Health()
    health.blind("liveness", "A server does not answer: Kafka: timed out")
    assert health.reasons() == ["A server does not answer: Kafka: timed out"]
    health.report("liveness", [])
    assert health.reasons() == []
