"""Threads are shared among integrations: a slow one holds up only itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from connectors.service.fair_share import SLOW_SECONDS, Turns


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

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self._letting_go: list[threading.Event] = []

    def enter(self, integration: str) -> bool:
        entered, go = threading.Event(), threading.Event()
        answers: list[bool] = []

        def run() -> None:
            answers.append(self._turns.enter(integration))
            entered.set()
            if answers[0]:
                go.wait()
                self._turns.leave(worked=True)

        threading.Thread(target=run, daemon=True).start()
        entered.wait()
        if answers[0]:
            self._letting_go.append(go)
        return answers[0]

    def let_go(self) -> None:
        for go in self._letting_go:
            go.set()


def _prove(turns: Turns, integration: str) -> None:
    assert turns.enter(integration)
    turns.leave(worked=True)


def test_hostile_integrations_never_take_all_threads() -> None:
    clock = Clock()
    turns = Turns(4, 2, clock)
    hands = Hands(turns)
    for number in range(3):
        assert hands.enter(f"hostile-{number}")
        assert not hands.enter(f"hostile-{number}"), "one thread each, as long as they have not answered"
    clock.time += SLOW_SECONDS
    taken = sum(hands.enter(f"hostile-{number}") for number in range(3, 30))
    assert taken > 0, "nothing is known of the next ones"
    clock.time += SLOW_SECONDS
    _prove(turns, "healthy")
    assert hands.enter("healthy")
    assert hands.enter("healthy"), "one that answers soon may have two"
    assert not hands.enter("healthy")
    hands.let_go()


def test_slow_ones_share_a_part_of_the_threads() -> None:
    clock = Clock()
    turns = Turns(2, 2, clock)
    for number in range(8):
        assert turns.enter(f"slow-{number}")
        clock.time += SLOW_SECONDS
        turns.leave(worked=True)
    hands = Hands(turns)
    admitted = [number for number in range(8) if hands.enter(f"slow-{number}")]
    assert len(admitted) == (turns.regular + turns.standby) // 2
    hands.let_go()


def test_slowness_is_forgotten() -> None:
    clock = Clock()
    turns = Turns(4, 2, clock)
    assert turns.enter("a")
    clock.time += SLOW_SECONDS
    turns.leave(worked=True)
    hands = Hands(turns)
    clock.time += 61
    _prove(turns, "a")
    assert hands.enter("a")
    assert hands.enter("a")
    hands.let_go()


def test_standby_threads_are_asked_for_when_all_others_are_taken() -> None:
    turns = Turns(2, 1)
    hands = Hands(turns)
    assert hands.enter("a")
    assert not turns.pressed
    assert hands.enter("b")
    assert turns.pressed
    hands.let_go()


def test_the_longest_turn_counts_from_its_last_piece() -> None:
    clock = Clock()
    turns = Turns(2, 1, clock)
    assert turns.longest() is None
    assert turns.enter("a")
    clock.time += 100
    assert turns.longest() == ("a", 100)
    turns.beat()
    assert turns.longest() == ("a", 0)
    clock.time += 5
    turns.forgive()
    assert turns.longest() == ("a", 0)
    turns.leave(worked=False)
    assert _elsewhere(turns.longest) is None
