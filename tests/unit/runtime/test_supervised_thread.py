"""A thread that a process depends on never ends unnoticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from runtime.supervised_thread import supervised


def _end_of(run: Callable[[], None], *, stopping: bool = False) -> list[BaseException]:
    failures: list[BaseException] = []
    thread = supervised("reader", run, stopping=lambda: stopping, failed=failures.append)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    return failures


@pytest.mark.parametrize("error", [ValueError("a"), SystemExit(1), KeyboardInterrupt(), MemoryError()])
def test_whatever_is_raised_is_reported(error: BaseException) -> None:
    def run() -> None:
        raise error

    assert _end_of(run) == [error]


def test_a_return_is_reported_unless_the_process_stops() -> None:
    assert "reader ended by itself" in str(_end_of(lambda: None)[0])
    assert _end_of(lambda: None, stopping=True) == []
