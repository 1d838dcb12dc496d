"""Projections: every kind of drift is found and repaired, a healthy system shows none, also under load."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.jobs.store import Job, claim_job, create_job, finish_job
from sinks.reconcile import Drift, find_drifts, find_stale_labels
from streams.heartbeat import Heartbeat
from streams.jobs import reconcile as module
from streams.jobs.context import JobContext
from streams.jobs.metrics import ScheduleMetrics
from streams.jobs.reconcile import reconcile
from streams.jobs.scheduler import Scheduler
from tests.harness.load import Load
from tests.harness.roles import running, wait_until
from tests.harness.wire import event, new_id, outcomes
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]
_EARLY, _LATE, _PAST = "2031-01-01T09:00:00Z", "2031-02-01T09:00:00Z", "2026-01-01T09:00:00Z"
#: Kind of damage by hand → its statement and the columns that are wrong afterwards.
DAMAGE: dict[str, tuple[str, set[str]]] = {
    "no next": (
        "next_interaction_ref_id = NULL, next_interaction_at = NULL",
        {"next_interaction_ref_id", "next_interaction_at"},
    ),
    "another next": ("next_interaction_at = '2031-03-01T00:00:00Z'", {"next_interaction_at"}),
    "no last": (
        "last_interaction_ref_id = NULL, last_interaction_at = NULL",
        {"last_interaction_ref_id", "last_interaction_at"},
    ),
    "open": ("open_count = 7", {"open_count"}),
    "overdue": ("overdue_count = 3", {"overdue_count"}),
    "done": ("done_count = 0", {"done_count"}),
    "all counts": (
        "open_count = 0, overdue_count = 1, done_count = 9",
        {"open_count", "overdue_count", "done_count"},
    ),
}


@pytest.fixture(scope="module")
def applied(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """A world with an applier, whose reconciler does not rest."""
    with own_world(embedded_stack, template_database) as settings, running(settings, "applier"):
        yield settings.model_copy(update={"reconcile_share": 1.0})


@pytest.fixture
def connection(applied: Settings) -> Iterator[Connection]:
    with connect(applied, application_name="test", autocommit=True) as opened:
        yield opened


def customer(settings: Settings, scope: dict[str, str] | None = None, **upcoming: Any) -> str:
    """A customer with two planned calls and a past one."""
    entity = new_id()
    names = scope or {}
    call = {"interactionType": "call", **upcoming}
    messages = [
        event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "Hidden"}, **names),
        event("interaction.create", entity, {**call, "scheduledAt": _EARLY}, **names),
        event("interaction.create", entity, {**call, "scheduledAt": _LATE}, **names),
        event("interaction.create", entity, {**call, "occurredAt": _PAST, "status": "done"}, **names),
    ]
    assert {result["outcome"] for result in outcomes(settings, messages)} == {"applied"}
    return entity


def context_of(settings: Settings, connection: Connection, job: Job) -> JobContext:
    return JobContext(settings, connection, job, "test", Heartbeat(), threading.Event())


def new_job(connection: Connection) -> Job:
    create_job(connection, new_id(), "reconcile")
    job = claim_job(connection, ["reconcile"])
    assert job is not None
    return job


def run(settings: Settings, connection: Connection) -> dict[str, Any]:
    """Run the reconciler to its end; returns its report."""
    job = new_job(connection)
    context = context_of(settings, connection, job)
    reconcile(context)
    context.save()
    finish_job(connection, job.id, "completed")
    assert context.done == context.report["compared"] <= (context.total or 0)
    return context.report


def damage(connection: Connection, entity: str, assignments: str) -> None:
    connection.execute(f"UPDATE customer_entities SET {assignments} WHERE id = %s", (entity,))


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_found_repaired_and_described(applied: Settings, connection: Connection, kind: str) -> None:
    assignments, columns = DAMAGE[kind]
    entity, healthy = customer(applied), customer(applied)
    before = connection.execute(
        "SELECT next_interaction_ref_id, next_interaction_at, last_interaction_ref_id, last_interaction_at,"
        " open_count, overdue_count, done_count FROM customer_entities WHERE id = %s",
        (entity,),
    ).fetchone()
    damage(connection, entity, assignments)
    (drift,) = find_drifts(connection, [entity, healthy])
    assert set(drift.columns) == columns
    report = run(applied, connection)
    assert (report["drifts"], report["repaired"], report["unrepaired"]) == (1, 1, 0)
    (described,) = report["described"]
    assert (described["entityId"], set(described["columns"])) == (entity, columns)
    assert described["stored"].keys() == described["right"].keys() == columns
    assert all(described["stored"][name] != described["right"][name] for name in columns)
    assert "Hidden" not in orjson.dumps(report).decode()
    after = connection.execute(
        "SELECT next_interaction_ref_id, next_interaction_at, last_interaction_ref_id, last_interaction_at,"
        " open_count, overdue_count, done_count FROM customer_entities WHERE id = %s",
        (entity,),
    ).fetchone()
    assert after == before
    assert run(applied, connection)["drifts"] == 0


def test_the_event_of_a_repair_has_the_wrong_and_the_right_next_interaction(
    applied: Settings, connection: Connection
) -> None:
    entity = customer(applied)
    damage(connection, entity, "next_interaction_ref_id = NULL, next_interaction_at = NULL")
    run(applied, connection)
    facts = connection.execute(
        "SELECT facts -> 'previous', facts -> 'next' ->> 'at', facts ->> 'reason' FROM journal"
        " WHERE entity_id = %s AND command_type = 'customers.interaction.recompute_next'",
        (entity,),
    ).fetchall()
    assert facts == [(None, "2031-01-01T09:00:00Z", "recompute")]


def test_a_customer_that_is_damaged_once_more_is_repaired_once_more(
    applied: Settings, connection: Connection
) -> None:
    entity = customer(applied)
    for _ in range(3):
        damage(connection, entity, "open_count = 7")
        report = run(applied, connection)
        assert (report["drifts"], report["repaired"], report["unrepaired"]) == (1, 1, 0)


def test_the_repair_after_a_crash_is_counted_once(
    applied: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies between the publication of the repair and the note of its outcome."""
    entity = customer(applied)
    damage(connection, entity, "done_count = 5")
    job = new_job(connection)

    class Died(BaseException):
        """Stands in for SIGKILL."""

    def die_at_the_end(session: Connection, ids: list[str]) -> list[Drift]:
        if ids == [entity]:  # the look at the repaired ones
            raise Died
        return find_drifts(session, ids)

    with monkeypatch.context() as patched:
        patched.setattr(module, "find_drifts", die_at_the_end)
        with pytest.raises(Died):
            reconcile(context_of(applied, connection, job))
    assert find_drifts(connection, [entity]) == [], "it is repaired, and no row shows the drift any more"
    resumed = claim_job(connection, ["reconcile"])
    assert resumed is not None
    assert resumed.id == job.id
    context = context_of(applied, connection, resumed)
    reconcile(context)
    finish_job(connection, job.id, "completed")
    report = context.report
    assert (report["drifts"], report["repaired"], report["unrepaired"]) == (1, 1, 0)
    repairs = connection.execute(
        "SELECT count(*) FROM journal WHERE entity_id = %s"
        " AND command_type = 'customers.interaction.recompute_next'",
        (entity,),
    ).fetchone()
    assert repairs == (1,)


@pytest.mark.timeout(300)
def test_no_drift_is_seen_under_live_load(applied: Settings, connection: Connection) -> None:
    compared = 0
    with Load(applied, seed=11, pace=300, total=6000, entities=150, relabels=0) as load:
        while not load.done.is_set():
            report = run(applied, connection)
            assert (report["drifts"], report["described"]) == (0, [])
            compared += report["compared"]
    assert compared > 3000, "it has compared while customers changed"
    assert load.failed == 0


def test_names_follow_the_dictionary_before_they_count_as_drift(
    applied: Settings, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no relay in this world, so the names of a changed type do not follow."""
    scope = {"tenant": new_id(), "organization": new_id()}
    titled, typed = customer(applied, scope, interactionType="plain", title="Call"), customer(applied, scope)
    assert find_stale_labels(connection, [titled, typed]) == []
    upsert = event(
        "interaction_type.upsert",
        scope["organization"],
        {"interactionType": "call", "label": "Ring"},
        **scope,
    )
    assert outcomes(applied, [upsert])[0]["outcome"] == "applied"
    (stale,) = find_stale_labels(connection, [titled, typed])
    assert (stale.entity_id, stale.values) == (typed, {})
    assert {"next_interaction_name", "last_interaction_name"} <= set(stale.columns)
    for _ in range(2):
        report = run(applied, connection)
        assert (report["drifts"], list(report["staleLabels"])) == (0, [typed])
    connection.execute(
        "UPDATE jobs SET report = jsonb_set(report, %s, to_jsonb(now() - interval '6 minutes'))"
        " WHERE id = (SELECT id FROM jobs WHERE state = 'completed' ORDER BY finished_at DESC LIMIT 1)",
        (["staleLabels", typed, "seenAt"],),
    )
    report = run(applied, connection)
    assert (report["drifts"], report["repaired"], report["staleLabels"]) == (1, 1, {})
    assert find_stale_labels(connection, [typed]) == []


def test_the_role_reconciles_by_itself_and_reports(applied: Settings, connection: Connection) -> None:
    entity = customer(applied)
    damage(connection, entity, "open_count = 7")
    connection.execute("DELETE FROM job_schedules")
    variables = {"INTERACTIONS_RECONCILE_EVERY_SECONDS": "2", "INTERACTIONS_RECONCILE_SHARE": "1"}
    with running(applied, "jobs", **variables):
        wait_until(lambda: find_drifts(connection, [entity]) == [], 30)
        wait_until(lambda: _ended(connection) is not None, 30)
    report = _ended(connection)
    assert report is not None
    assert report["unrepaired"] == 0


def _ended(connection: Connection) -> dict[str, Any] | None:
    row = connection.execute(
        "SELECT result -> 'report' FROM job_schedules WHERE name = 'reconcile' AND outcome = 'completed'"
    ).fetchone()
    return row[0] if row is not None else None


def test_metrics_show_the_last_run(fresh_database: Settings) -> None:
    with connect(fresh_database, application_name="test", autocommit=True) as connection:
        scheduler = Scheduler(fresh_database)
        scheduler.tick(connection)
        job = claim_job(connection, ["reconcile"])
        assert job is not None
        report = {"compared": 12, "drifts": 2, "unrepaired": 1}
        connection.execute("UPDATE jobs SET report = %s", (orjson.dumps(report).decode(),))
        finish_job(connection, job.id, "completed")
        scheduler.tick(connection)
        registry, metrics = CollectorRegistry(), ScheduleMetrics()
        metrics.schedules = scheduler._metrics.schedules
        registry.register(metrics)
        text = generate_latest(registry).decode()
    for line in (
        "interactions_reconcile_drifts 2.0",
        "interactions_reconcile_unrepaired 1.0",
        'interactions_schedule_failed{name="reconcile"} 0.0',
    ):
        assert line in text
