"""Due times by the database's clock: a missed run is made up once, and one run is open at a time."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from connectors.store.integrations import insert_integration
from connectors.store.removal import remove_integration
from connectors.store.schedules import note_begun, note_ended, seconds_until_due
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.errors import Retry
from sinks.jobs.schedules import Schedule, end_runs, list_schedules, start_run
from sinks.jobs.store import claim_job, finish_job, list_jobs, request_job
from streams.jobs.scheduler import Scheduler, run_now
from tests.harness.integrations import an_integration
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = pytest.mark.integration
EVERY = 900.0


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test", autocommit=True) as opened:
        yield opened


def due(connection: Connection, job: str, *, now: bool = False) -> bool:
    """Start a run; true if it was started."""
    return start_run(connection, "reconcile", job, EVERY, now=now) is None


def schedule(connection: Connection, name: str = "reconcile") -> Schedule:
    (found,) = [it for it in list_schedules(connection) if it.name == name]
    return found


def shift(connection: Connection, seconds: float) -> None:
    """Let this time pass, as far as the schedule is concerned."""
    connection.execute("UPDATE job_schedules SET due_at = due_at - make_interval(secs => %s)", (seconds,))


def complete(connection: Connection, job: str, state: str = "completed") -> None:
    assert claim_job(connection, ["reconcile"]) is not None
    finish_job(connection, job, state)
    assert end_runs(connection) == {"reconcile": state}


def test_a_run_starts_when_it_is_due_and_not_before(connection: Connection) -> None:
    first, second = new_id(), new_id()
    assert due(connection, first)
    complete(connection, first)
    assert not due(connection, second), "its period has not passed"
    assert schedule(connection).late_seconds == pytest.approx(-EVERY, abs=30)
    shift(connection, EVERY)
    assert due(connection, second)


def test_missed_runs_are_made_up_once_in_the_same_rhythm(connection: Connection) -> None:
    first, second, third = new_id(), new_id(), new_id()
    assert due(connection, first)
    complete(connection, first)
    shift(connection, EVERY * 5.25)
    assert due(connection, second)
    complete(connection, second)
    assert not due(connection, third), "five periods were missed, and one run makes up for them"
    assert -schedule(connection).late_seconds == pytest.approx(EVERY * 0.75, abs=30)


def test_an_open_run_keeps_the_next_one_waiting_and_says_since_when(connection: Connection) -> None:
    first = new_id()
    assert due(connection, first)
    shift(connection, EVERY * 3)
    for now in (False, True):
        running = start_run(connection, "reconcile", new_id(), EVERY, now=now)
        assert running is not None
        assert running.running
        assert (running.job_id, running.started_at is not None) == (first, True)
    assert [job.id for job in list_jobs(connection, 10)] == [first]
    complete(connection, first)
    assert due(connection, new_id()), "due meanwhile, so it starts at the end of the open run"
    assert not due(connection, new_id(), now=True)


def test_a_run_on_demand_leaves_the_rhythm_alone(connection: Connection) -> None:
    first, second = new_id(), new_id()
    assert due(connection, first)
    complete(connection, first)
    before = schedule(connection).due_at
    assert due(connection, second, now=True)
    assert schedule(connection).due_at == before


def test_a_shorter_period_applies_at_once(connection: Connection) -> None:
    first = new_id()
    assert due(connection, first)
    complete(connection, first)
    assert start_run(connection, "reconcile", new_id(), 60.0, now=False) is not None
    assert -schedule(connection).late_seconds == pytest.approx(60.0, abs=10)


@pytest.mark.parametrize("outcome", ["failed", "canceled", "lost"])
def test_a_run_that_ends_badly_is_noted_and_the_next_one_starts(connection: Connection, outcome: str) -> None:
    first = new_id()
    assert due(connection, first)
    if outcome == "failed":
        complete(connection, first, "failed")
    elif outcome == "canceled":
        assert request_job(connection, first, "cancel")
    else:
        connection.execute("DELETE FROM jobs")
    if outcome != "failed":
        assert end_runs(connection) == {"reconcile": outcome}
    assert schedule(connection).outcome == outcome
    shift(connection, EVERY)
    assert due(connection, new_id())


def test_of_many_starters_one_starts(fresh_database: Settings, connection: Connection) -> None:
    def start(_: int) -> bool:
        with connect(fresh_database, application_name="test", autocommit=True) as own:
            return due(own, new_id(), now=True)

    with ThreadPoolExecutor(4) as threads:
        assert sorted(threads.map(start, range(8))) == [False] * 7 + [True]
    assert len(list_jobs(connection, 10)) == 1


def test_the_scheduler_starts_what_is_due(fresh_database: Settings, connection: Connection) -> None:
    scheduler = Scheduler(fresh_database)
    for _ in range(2):
        scheduler.tick(connection)
    (job,) = list_jobs(connection, 10)
    assert (job.kind, job.state, job.requested_by) == ("reconcile", "waiting", "schedule")
    assert schedule(connection, "retention").late_seconds < -80_000, "the first one is a day away"
    named, running = run_now(connection, fresh_database, "reconcile")
    assert running is not None
    assert named == job.id
    named, running = run_now(connection, fresh_database, "retention")
    assert running is None
    assert {it.id for it in list_jobs(connection, 10)} == {job.id, named}


def test_the_repairs_of_an_integration_outlive_its_process(connection: Connection) -> None:
    integration = an_integration("board-1", TENANT, ORGANIZATION)
    insert_integration(connection, integration)
    assert seconds_until_due(connection, "look", "board-1", 3600.0) == pytest.approx(3600, abs=30)
    shift(connection, 5000)
    late = seconds_until_due(connection, "look", "board-1", 3600.0)
    assert late == pytest.approx(-1400, abs=30), "a restart does not put it off"
    note_begun(connection, "look", "board-1")
    assert schedule(connection, "look:board-1").running
    assert seconds_until_due(connection, "look", "board-1", 3600.0) <= 0, "its process may die"
    note_ended(connection, "look", "board-1", Retry("the text of a card"), 60.0)
    failed = schedule(connection, "look:board-1")
    assert (failed.running, failed.outcome, failed.result) == (False, "failed", {"reason": "Retry"})
    note_begun(connection, "look", "board-1")
    note_ended(connection, "look", "board-1", None, 3600.0)
    assert schedule(connection, "look:board-1").outcome == "completed"
    assert seconds_until_due(connection, "look", "board-1", 9.0) == pytest.approx(3600, abs=30)
    assert remove_integration(connection, integration) is not None
    assert list_schedules(connection) == []
    seconds_until_due(connection, "look", "board-1", 3600.0)
    assert list_schedules(connection) == [], "a late thread adds none to a removed integration"
