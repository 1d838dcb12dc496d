"""The retry loop of all roles: outages are waited for, other errors and the request to stop end it."""

from __future__ import annotations

import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException

from runtime.backoff import Backoff
from runtime.outages import AskedToStopError, sessions, through_outages
from schemas.errors import Retry, Stop

POLICY = Backoff(first=1, factor=2, ceiling=4, spread=0)


class Waiting:
    """Records the pauses; asked to stop after ``most`` of them."""

    def __init__(self, most: int = 100) -> None:
        self.pauses: list[float] = []
        self._most = most

    def __call__(self, seconds: float) -> bool:
        self.pauses.append(seconds)
        return len(self.pauses) >= self._most


class Failing:
    """Work that fails with these errors, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    def __call__(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "done"


def ignored(_error: Exception, _seconds: float) -> None:
    pass


def test_every_outage_is_waited_for_with_growing_pauses() -> None:
    work = Failing(Retry("away"), psycopg.OperationalError(), KafkaException(KafkaError(-195)), Retry("away"))
    waiting = Waiting()
    assert through_outages(work, ignored, waiting, POLICY) == "done"
    assert waiting.pauses == [1, 2, 4, 4]


def test_the_pause_that_an_error_asks_for_is_kept() -> None:
    waiting = Waiting()
    through_outages(Failing(Retry("busy", after=2.5), Retry("away")), ignored, waiting, POLICY)
    assert waiting.pauses == [2.5, 1]


def test_another_error_is_not_retried() -> None:
    waiting = Waiting()
    with pytest.raises(Stop, match="for good"):
        through_outages(Failing(Stop("for good")), ignored, waiting, POLICY)
    assert waiting.pauses == []


def test_the_caller_can_refuse_to_wait() -> None:
    def refuse(error: Exception, _seconds: float) -> None:
        raise Stop("no retry mends it") from error

    waiting = Waiting()
    with pytest.raises(Stop):
        through_outages(Failing(Retry("away")), refuse, waiting, POLICY)
    assert waiting.pauses == []


def test_the_request_to_stop_ends_the_wait_with_the_reason() -> None:
    waiting = Waiting(most=2)
    with pytest.raises(AskedToStopError, match="the database is away"):
        through_outages(Failing(*[Retry("the database is away")] * 9), ignored, waiting, POLICY)
    assert len(waiting.pauses) == 2


def test_a_stop_that_the_work_itself_notices_is_no_outage() -> None:
    waiting = Waiting()
    with pytest.raises(AskedToStopError):
        through_outages(Failing(AskedToStopError("asked to stop")), ignored, waiting, POLICY)
    assert waiting.pauses == []


def test_after_a_long_session_the_pauses_start_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    lasting = iter([0.0, 0.0, 3600.0, 0.0])

    def session() -> None:
        now[0] += next(lasting)
        raise Retry("away")

    waiting = Waiting(most=4)
    sessions(session, ignored, waiting, POLICY)
    assert waiting.pauses == [1, 2, 1, 2]
