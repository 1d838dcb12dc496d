"""An interrupt waits for the end of a step; a second one does not."""

from __future__ import annotations

import os
import signal

import pytest

from cli.interrupts import interrupts_held


def interrupted_step(steps: list[str], *, times: int) -> None:
    with interrupts_held():
        for _ in range(times):
            os.kill(os.getpid(), signal.SIGINT)
        steps.append("done")


def failing_step() -> None:
    with interrupts_held():
        os.kill(os.getpid(), signal.SIGINT)
        raise ZeroDivisionError


def test_the_step_ends_before_the_interrupt_counts() -> None:
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_step(steps, times=1)
    assert steps == ["done"]


def test_a_second_interrupt_ends_the_step() -> None:
    steps: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted_step(steps, times=2)
    assert steps == []


def test_nothing_is_held_after_the_step() -> None:
    with interrupts_held():
        pass
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)


def test_an_error_of_the_step_is_kept() -> None:
    with pytest.raises(ZeroDivisionError):
        failing_step()
