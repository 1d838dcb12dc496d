"""Threads are shared among integrations: a slow one holds up only itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from connectors.service.fair_share import SLOW_SECONDS, FairShare


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time


def _elsewhere(call: Callable[[], Any]) -> Any:
    """The answer of a call in a thread of its own, which has ended then."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    thread.join()
    return answers[0]


class Hands:
    """Threads that are in a turn until they are told to leave it."""

    def __init__(self, share: FairShare) -> None:
        self._share = share
        self._letting_go: list[threading.Event] = []

    def acquire(self, integration: str) -> bool:
        entered, go = threading.Event(), threading.Event()
        answers: list[bool] = []

        def run() -> None:
            answers.append(self._share.acquire(integration))
            entered.set()
            if answers[0]:
                go.wait()
                self._share.release(worked=True)

        threading.Thread(target=run, daemon=True).start()
        entered.wait()
        if answers[0]:
            self._letting_go.append(go)
        return answers[0]

    def let_go(self) -> None:
        for go in self._letting_go:
            go.set()


def _prove(share: FairShare, integration: str) -> None:
    assert share.acquire(integration)
    share.release(worked=True)


def test_hostile_integrations_never_take_all_threads() -> None:
    clock = Clock()
    share = FairShare(4, 2, clock)
    hands = Hands(share)
    for number in range(3):
        assert hands.acquire(f"hostile-{number}")
        assert not hands.acquire(f"hostile-{number}"), "one thread each, as long as they have not answered"
    clock.time += SLOW_SECONDS
    taken = sum(hands.acquire(f"hostile-{number}") for number in range(3, 30))
    assert taken > 0, "nothing is known of the next ones"
    clock.time += SLOW_SECONDS
    _prove(share, "healthy")
    assert hands.acquire("healthy")
    assert hands.acquire("healthy"), "one that answers soon may have two"
    assert not hands.acquire("healthy")
    hands.let_go()


def test_slow_ones_share_a_part_of_the_threads() -> None:
    clock = Clock()
    share = FairShare(2, 2, clock)
    for number in range(8):
        assert share.acquire(f"slow-{number}")
        clock.time += SLOW_SECONDS
        share.release(worked=True)
    hands = Hands(share)
    admitted = [number for number in range(8) if hands.acquire(f"slow-{number}")]
    assert len(admitted) == (share.regular + share.standby) // 2
    hands.let_go()


def test_slowness_is_forgotten() -> None:
    clock = Clock()
    share = FairShare(4, 2, clock)
    assert share.acquire("a")
    clock.time += SLOW_SECONDS
    share.release(worked=True)
    hands = Hands(share)
    clock.time += 61
    _prove(share, "a")
    assert hands.acquire("a")
    assert hands.acquire("a")
    hands.let_go()


def test_standby_threads_are_asked_for_when_all_others_are_taken() -> None:
    share = FairShare(2, 1)
    hands = Hands(share)
    assert hands.acquire("a")
    assert not share.saturated
    assert hands.acquire("b")
    assert share.saturated
    hands.let_go()


def test_the_longest_turn_counts_from_its_last_piece() -> None:
    clock = Clock()
    share = FairShare(2, 1, clock)
    assert share.longest_running() is None
    assert share.acquire("a")
    clock.time += 100
    assert share.longest_running() == ("a", 100)
    share.heartbeat()
    assert share.longest_running() == ("a", 0)
    clock.time += 5
    share.reset_clocks()
    assert share.longest_running() == ("a", 0)
    share.release(worked=False)
    assert _elsewhere(share.longest_running) is None
