"""The watchdog of a role: stalls are reported after half the patience and end the process after all of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from runtime.health import Health
from runtime.settings import Settings
from sinks.journal_reader import JournalPosition
from streams.heartbeat import Heartbeat
from streams.pending_work import PendingWork
from streams.stall_detector import StallDetector
from streams.watchdog import RelayWatchdog, _Watchdog

_STAGES = ("consumed", "applied", "results", "events")


class _Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr("streams.watchdog.time.monotonic", lambda: self.now)


def _pending(stage: str, position: int = 7, *, restart_helps: bool = True) -> PendingWork:
    return PendingWork(
        stage, "3", position, "partition 3, offset 7", 0.0, "The command waits", "Look.", restart_helps
    )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    return _Clock(monkeypatch)


@pytest.mark.parametrize("stage", _STAGES)
def test_a_stalled_stage_is_detected_within_two_minutes(clock: _Clock, stage: str) -> None:
    health, detector = Health(), StallDetector(Settings().stuck_after_seconds)
    watchdog = _Watchdog(Settings(), lambda _: ([], False), Heartbeat(), threading.Event(), health)
    for clock.now in range(0, 60, 5):
        assert watchdog._check(detector, [_pending(stage)], progress=False) is None
        assert health.reasons() == []
    clock.now = 60
    assert watchdog._check(detector, [_pending(stage)], progress=False) is None
    assert health.reasons() == ["The command waits, and nothing has moved there for 60 s. Look."]
    assert [stall.stage for stall in health.stalls()] == [stage]
    clock.now = 121
    stuck = watchdog._check(detector, [_pending(stage)], progress=False)
    assert stuck is not None
    assert (stuck.stage, stuck.place) == (stage, "partition 3, offset 7")


def test_progress_is_not_a_stall(clock: _Clock) -> None:
    health, detector = Health(), StallDetector(120)
    watchdog = _Watchdog(Settings(), lambda _: ([], False), Heartbeat(), threading.Event(), health)
    for clock.now in range(0, 600, 5):
        assert (
            watchdog._check(detector, [_pending("applied", position=int(clock.now))], progress=False) is None
        )
        assert health.reasons() == []


def test_a_stall_that_no_restart_fixes_is_reported_but_does_not_end_the_process(clock: _Clock) -> None:
    health, detector = Health(), StallDetector(120)
    watchdog = _Watchdog(Settings(), lambda _: ([], False), Heartbeat(), threading.Event(), health)
    for clock.now in range(0, 600, 5):
        assert watchdog._check(detector, [_pending("consumed", restart_helps=False)], progress=False) is None
    assert [stall.stage for stall in health.stalls()] == ["consumed"]


def test_a_stall_that_is_over_is_no_longer_reported(clock: _Clock) -> None:
    health, detector = Health(), StallDetector(120)
    watchdog = _Watchdog(Settings(), lambda _: ([], False), Heartbeat(), threading.Event(), health)
    watchdog._check(detector, [_pending("applied")], progress=False)
    clock.now = 100
    watchdog._check(detector, [_pending("applied")], progress=False)
    assert health.stalls()
    watchdog._check(detector, [], progress=True)
    assert health.reasons() == []


def test_an_unanswered_probe_is_reported() -> None:
    health = Health()
    health.report_unchecked("liveness", "A server does not answer: Kafka: timed out")
    assert health.reasons() == ["A server does not answer: Kafka: timed out"]
    health.report("liveness", [])
    assert health.reasons() == []


def test_probes_share_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client per probe would start threads and connections every few seconds."""

    made, asked = [], []

    class Client:
        def __init__(self, _: Settings) -> None:
            made.append(self)

        def list_topics(self, *_: object, **__: object) -> None:
            asked.append(self)

    monkeypatch.setattr("streams.watchdog.make_admin", Client)
    monkeypatch.setattr("streams.watchdog.unpublished_events", lambda *_: [_pending("events")])
    watchdog = RelayWatchdog(Settings(), JournalPosition, Heartbeat(), threading.Event(), Health())
    connection: Any = None
    for _ in range(3):
        watchdog._pending(connection)
    assert (len(made), len(asked)) == (1, 3)
