"""A lane goes on with its other jobs when one fails with every attempt, ends its process, or takes long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.errors import Retry
from sinks.jobs.store import Job, claim_job, create_job, find_job, request_job, save_job
from streams.heartbeat import Heartbeat
from streams.jobs import context as job_context
from streams.jobs import lane as lanes
from streams.jobs.context import JobContext
from streams.jobs.lane import Lane
from tests.harness.roles import wait_until
from tests.harness.wire import new_id
from tests.stack_fixtures import own_world

pytestmark = pytest.mark.integration


@pytest.fixture
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    with own_world(embedded_stack, template_database) as settings:
        yield settings


@pytest.fixture
def connection(world: Settings) -> Iterator[Connection]:
    with connect(world, application_name="test", autocommit=True) as opened:
        yield opened


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lanes, "_MOST_ATTEMPTS", 5)


def _job(connection: Connection, kind: str = "bulk") -> str:
    job_id = new_id()
    assert create_job(connection, job_id, kind)
    return job_id


def _found(connection: Connection, job_id: str) -> Job:
    job = find_job(connection, job_id)
    assert job is not None
    return job


def _claimed(connection: Connection) -> str:
    job = claim_job(connection, ["bulk"])
    assert job is not None
    return job.id


def _run(settings: Settings, work: Callable[[JobContext], None], until: Callable[[], bool]) -> None:
    stop = threading.Event()
    lane = Lane("bulk", {"bulk": work}, settings, Heartbeat(), stop)
    thread = threading.Thread(target=lane.run)
    thread.start()
    try:
        wait_until(until, 60)
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()


def test_a_job_without_progress_comes_after_the_others(connection: Connection) -> None:
    first, second = _job(connection), _job(connection)
    # As after crashes: nothing but the claim is stored.
    assert [_claimed(connection) for _ in range(3)] == [first] * 3
    assert [_claimed(connection) for _ in range(3)] == [second] * 3
    assert _claimed(connection) == first
    # Progress makes it a job like any other.
    save_job(connection, first, cursor={"after": "x"}, done=0, total=None, report={}, seconds=0.0)
    assert _found(connection, first).attempts == 0
    # The same position, stored once more, is no progress.
    assert _claimed(connection) == first
    save_job(connection, first, cursor={"after": "x"}, done=0, total=9, report={}, seconds=0.0)
    assert _found(connection, first).attempts == 1


@pytest.mark.usefixtures("impatient")
def test_a_job_that_always_fails_ends_and_holds_up_no_other(world: Settings, connection: Connection) -> None:
    bad, good = _job(connection), _job(connection)
    attempts: list[str] = []

    def work(context: JobContext) -> None:
        attempts.append(context.job.id)
        if context.job.id == bad:
            raise Retry("the source does not answer")

    _run(world, work, lambda: _found(connection, bad).state == "failed")
    assert attempts == [bad, bad, bad, good, bad, bad]
    assert _found(connection, good).state == "completed"
    assert _found(connection, bad).reason == (
        "It made no progress in 5 attempts. The last one: the source does not answer"
    )
    assert request_job(connection, bad, "resume")
    assert _found(connection, bad).attempts == 0


@pytest.mark.usefixtures("impatient")
def test_attempts_during_an_outage_do_not_count(
    world: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = _job(connection)
    attempts = 0

    def work(_: JobContext) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 7:
            raise Retry("Kafka did not acknowledge all records")

    monkeypatch.setattr(Lane, "_broker_answers", lambda _: False)
    _run(world, work, lambda: _found(connection, job_id).state == "completed")
    assert attempts == 7


def test_long_jobs_take_turns(
    world: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_context, "_TURN_SECONDS", -1.0)
    monkeypatch.setattr(lanes, "_IDLE_SECONDS", 0.01)
    long, short = _job(connection), _job(connection)
    steps: list[str] = []

    def work(context: JobContext) -> None:
        for step in range(context.done + 1, 4 if context.job.id == long else 2):
            steps.append(context.job.id)
            context.save(done=step)
            context.take_turns()

    _run(
        world,
        work,
        lambda: {_found(connection, it).state for it in (long, short)} == {"completed"},
    )
    assert steps == [long, short, long, long]
    # A canceled job never comes back to wait.
    canceled = _job(connection)
    assert _claimed(connection) == canceled
    assert request_job(connection, canceled, "cancel")
    assert _found(connection, canceled).state == "canceled"
