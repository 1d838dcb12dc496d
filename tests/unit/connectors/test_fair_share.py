"""Fair share of threads: a slow integration blocks only itself."""

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
    """Result of a call made in another thread."""
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(call()))
    thread.start()
    thread.join()
    return answers[0]


class Holders:
    """Threads that hold a turn until they are told to release it."""

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
    holders = Holders(share)
    for number in range(3):
        assert holders.acquire(f"hostile-{number}")
        assert not holders.acquire(f"hostile-{number}"), "one thread each until the provider has proved fast"
    clock.time += SLOW_SECONDS
    taken = sum(holders.acquire(f"hostile-{number}") for number in range(3, 30))
    assert taken > 0, "the next ones are not yet known to be slow"
    clock.time += SLOW_SECONDS
    _prove(share, "healthy")
    assert holders.acquire("healthy")
    assert holders.acquire("healthy"), "a fast integration may have two"
    assert not holders.acquire("healthy")
    holders.let_go()


def test_slow_ones_share_a_part_of_the_threads() -> None:
    clock = Clock()
    share = FairShare(2, 2, clock)
    for number in range(8):
        assert share.acquire(f"slow-{number}")
        clock.time += SLOW_SECONDS
        share.release(worked=True)
    holders = Holders(share)
    admitted = [number for number in range(8) if holders.acquire(f"slow-{number}")]
    assert len(admitted) == (share.regular + share.standby) // 2
    holders.let_go()


def test_slowness_is_forgotten() -> None:
    clock = Clock()
    share = FairShare(4, 2, clock)
    assert share.acquire("a")
    clock.time += SLOW_SECONDS
    share.release(worked=True)
    holders = Holders(share)
    clock.time += 61
    _prove(share, "a")
    assert holders.acquire("a")
    assert holders.acquire("a")
    holders.let_go()


def test_standby_threads_are_asked_for_when_all_others_are_taken() -> None:
    share = FairShare(2, 1)
    holders = Holders(share)
    assert holders.acquire("a")
    assert not share.saturated
    assert holders.acquire("b")
    assert share.saturated
    holders.let_go()


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
