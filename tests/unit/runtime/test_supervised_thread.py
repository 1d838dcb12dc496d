"""Every unexpected end of a supervised thread is reported."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError

from runtime.bounded_call import within
from runtime.supervised_thread import supervised
from schemas.errors import Stop
from tests.harness.raised import raise_kafka_error


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
    assert "reader ended unexpectedly" in str(_end_of(lambda: None)[0])
    assert _end_of(lambda: None, stopping=True) == []


def _raise_fenced() -> None:
    raise_kafka_error(KafkaError._FENCED)


def test_an_error_that_is_no_exception_class_is_reported() -> None:
    (failure,) = _end_of(_raise_fenced)
    assert isinstance(failure, Stop)
    assert "a client library failed" in str(failure)
    assert "_FENCED" in str(failure)


def test_an_error_that_is_no_exception_class_is_no_timeout_of_a_call() -> None:
    with pytest.raises(Stop, match="a client library failed"):
        within(10, "init-transactions", _raise_fenced)
