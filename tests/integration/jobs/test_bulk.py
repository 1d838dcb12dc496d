"""One action on all tasks that match, by the jobs role: killed in the middle, refused in part, canceled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.jobs.store import Job, create_job, find_job, request_job
from sinks.task_filter import TaskFilters, TaskSelection
from tests.harness.audit import assert_clean
from tests.harness.roles import running, wait_until
from tests.harness.wire import event, new_id, outcomes
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
_PERSON = "4b0c9d1e-53e4-4b0c-9d1e-1f0a6f7d0001"
_CRASH = {"INTERACTIONS_TEST_BUILD": "1", "INTERACTIONS_CRASH_POINT": "bulk-before-count"}
_DAY = datetime(2031, 1, 1, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def applied(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """A world with an applier and a relay, without which no audit is clean."""
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "relay"),
    ):
        yield settings


@pytest.fixture
def connection(applied: Settings) -> Iterator[Connection]:
    with connect(applied, application_name="test", autocommit=True) as opened:
        yield opened


class Office:
    """A tenant with planned calls, a day apart.

    :ivar calls: ids of the calls in the order of their dates.
    """

    def __init__(self, settings: Settings, count: int) -> None:
        self.settings = settings
        self.scope = {"tenantid": new_id(), "organizationid": new_id()}
        self.calls: list[str] = []
        self.plan(count)

    def plan(self, count: int) -> None:
        """Plan further calls."""
        messages = []
        for number in range(len(self.calls), len(self.calls) + count):
            entity, call = new_id(), new_id()
            person = {"id": entity, "kind": "person", "displayName": f"Customer {number}"}
            planned = {
                "id": call,
                "interactionType": "call",
                "title": f"Call {number}",
                "scheduledAt": (_DAY + timedelta(days=number)).isoformat(),
            }
            messages.append(event("entity.upsert", entity, person, **self.scope))
            messages.append(event("interaction.create", entity, planned, **self.scope))
            self.calls.append(call)
        assert {it["outcome"] for it in outcomes(self.settings, messages)} == {"applied"}

    def start(self, connection: Connection, action: str, count: int | None = None, **changes: Any) -> str:
        """Create the job that the gateway creates."""
        job_id = new_id()
        selection = changes.pop("selection", TaskSelection(filters=TaskFilters()))
        settings = {
            "action": action,
            "selection": selection.as_settings(),
            "count": len(self.calls) if count is None else count,
            "confirmedAt": datetime.now(UTC).isoformat(),
            **changes,
        }
        create_job(
            connection,
            job_id,
            "bulk",
            tenant_id=self.scope["tenantid"],
            organization_id=self.scope["organizationid"],
            settings=settings,
            requested_by=_PERSON,
            total=settings["count"],
        )
        return job_id

    def stored(self, connection: Connection, column: str) -> dict[str, Any]:
        """A column of the calls by id."""
        rows = connection.execute(
            f"SELECT id::text, {column} FROM customer_interactions WHERE tenant_id = %s",
            (self.scope["tenantid"],),
        )
        return dict(rows.fetchall())


def job_of(connection: Connection, job_id: str) -> Job:
    job = find_job(connection, job_id)
    assert job is not None
    return job


def run(settings: Settings, connection: Connection, job_id: str) -> Job:
    with running(settings, "jobs"):
        wait_until(lambda: job_of(connection, job_id).state not in ("waiting", "running"), 60)
    return job_of(connection, job_id)


def test_a_killed_job_resumes_and_counts_each_task_once(applied: Settings, connection: Connection) -> None:
    office = Office(applied, 240)
    job_id = office.start(connection, "complete")
    # It dies with a batch that is applied and not counted.
    with running(applied, "jobs", **_CRASH) as role:
        role.wait_for_exit(60)
    job = job_of(connection, job_id)
    assert (job.state, job.done) == ("running", 0)
    assert Counter(office.stored(connection, "status").values())["done"] == len(job.cursor["batch"])  # type: ignore[index]
    done = 0
    while done < 100:
        with running(applied, "jobs") as role:

            def moved(before: int = done) -> bool:
                return job_of(connection, job_id).done > before

            wait_until(moved, 60)
            role.kill()
        done = job_of(connection, job_id).done
    job = run(applied, connection, job_id)
    assert (job.state, job.done, job.total) == ("completed", 240, 240)
    assert job.report == {"tasks": {"applied": 240}, "rejected": {}, "samples": {}}
    assert set(office.stored(connection, "status").values()) == {"done"}
    rows = connection.execute(
        "SELECT interaction_id::text, outcome, actor_id FROM journal WHERE correlation_id = %s", (job_id,)
    ).fetchall()
    assert Counter(rows) == Counter((call, "applied", _PERSON) for call in office.calls)
    assert_clean(applied)


def test_only_what_matches_is_moved_and_no_more_than_was_confirmed(
    applied: Settings, connection: Connection
) -> None:
    office = Office(applied, 12)
    first_ten = TaskSelection(filters=TaskFilters(), dated=True, range_=(None, _DAY + timedelta(days=10)))
    job_id = office.start(
        connection, "snooze", 10, selection=first_ten, day="2032-05-05", zone="Europe/Berlin"
    )
    job = run(applied, connection, job_id)
    assert (job.state, job.done, job.report["tasks"]) == ("completed", 10, {"applied": 10})
    dates = office.stored(connection, "scheduled_at")
    # 10:00 in Berlin, in winter and in summer.
    assert [dates[call] for call in office.calls[:10]] == [datetime(2032, 5, 5, 8, tzinfo=UTC)] * 10
    assert [dates[call] for call in office.calls[10:]] == [_DAY + timedelta(days=it) for it in (10, 11)]
    job = run(applied, connection, office.start(connection, "reassign", 3, ownerUserId=_PERSON))
    assert job.report["tasks"] == {"applied": 3}
    assert Counter(map(str, office.stored(connection, "owner_user_id").values())) == {_PERSON: 3, "None": 9}


def test_what_is_newer_than_the_confirmation_is_left_out(applied: Settings, connection: Connection) -> None:
    office = Office(applied, 2)
    confirmed_at = datetime.now(UTC).isoformat()
    office.plan(1)
    job = run(applied, connection, office.start(connection, "cancel", confirmedAt=confirmed_at))
    assert (job.state, job.done, job.report["tasks"]) == ("completed", 2, {"applied": 2})
    statuses = office.stored(connection, "status")
    assert [statuses[call] for call in office.calls] == ["canceled", "canceled", "planned"]


def test_a_task_that_someone_else_completed_is_refused_by_name(
    applied: Settings, connection: Connection
) -> None:
    office = Office(applied, 4)
    job_id = office.start(connection, "complete")
    taken = office.calls[0]
    (entity,) = connection.execute(
        "SELECT entity_id::text FROM customer_interactions WHERE id = %s", (taken,)
    ).fetchone() or ("",)
    complete = event("interaction.complete", entity, {"id": taken}, **office.scope)
    assert outcomes(applied, [complete])[0]["outcome"] == "applied"
    # As if it had been read before.
    connection.execute(
        """UPDATE jobs SET cursor = jsonb_build_object('after', NULL, 'batch', jsonb_build_array(
             jsonb_build_object('id', %s::text, 'entityId', %s::text))) WHERE id = %s""",
        (taken, entity, job_id),
    )
    connection.execute("UPDATE jobs SET settings = settings || '{\"count\": 4}' WHERE id = %s", (job_id,))
    job = run(applied, connection, job_id)
    assert job.report["rejected"] == {"already_done": 1}
    assert job.report["samples"] == {"already_done": [taken]}
    assert job.report["tasks"]["rejected"] == 1


@pytest.fixture
def refused_title(connection: Connection) -> Iterator[str]:
    """Title of a call on which the pipeline fails: the database refuses to change its row."""
    connection.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.title = 'Call 1' THEN"
        " RAISE EXCEPTION 'very private words' USING ERRCODE = '22003'; END IF; RETURN NEW; END $$"
    )
    connection.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON customer_interactions FOR EACH ROW EXECUTE FUNCTION refuse()"
    )
    yield "Call 1"
    connection.execute("DROP FUNCTION refuse CASCADE")


def test_a_task_on_which_the_pipeline_fails_is_counted_and_holds_up_no_other_job(
    applied: Settings, connection: Connection, refused_title: str
) -> None:
    office, next_office = Office(applied, 3), Office(applied, 1)
    job_id = office.start(connection, "complete")
    next_id = next_office.start(connection, "complete")
    job = run(applied, connection, job_id)
    assert (job.state, job.report["tasks"]) == ("completed", {"applied": 2, "rejected": 1})
    assert job.report["samples"] == {"internal_error": [office.calls[1]]}
    assert refused_title in office.stored(connection, "title").values()
    assert run(applied, connection, next_id).state == "completed"


def test_a_canceled_job_forgets_what_was_searched(applied: Settings, connection: Connection) -> None:
    office = Office(applied, 2)
    searched = TaskSelection(filters=TaskFilters(search="CALL 1"))
    job = run(applied, connection, office.start(connection, "cancel", 1, selection=searched))
    assert (job.state, job.report["tasks"]) == ("completed", {"applied": 1})
    assert office.stored(connection, "status") == {office.calls[0]: "planned", office.calls[1]: "canceled"}
    assert "search" not in job.settings["selection"]["filters"]
    waiting = office.start(connection, "cancel", 1, selection=searched)
    assert request_job(connection, waiting, "cancel")
    assert "search" not in job_of(connection, waiting).settings["selection"]["filters"]
