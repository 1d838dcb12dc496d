"""The backfill moves every legacy row once, with its history, whatever fails meanwhile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from domain.default_types import DEFAULT_TYPES
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.flags import EXTERNAL_SYNC, UNIFIED
from schemas.topics import EVENTS
from sinks.jobs.store import request_job
from tests.harness.audit import assert_clean
from tests.harness.legacy import (
    job_of,
    plant,
    plant_all,
    rows_of,
    run_job,
    start_job,
    wait_for_job,
)
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id, outcomes
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]

_CREATED = datetime(2024, 2, 1, 10, tzinfo=UTC)
_UPDATED = datetime(2024, 2, 3, 10, tzinfo=UTC)
_PAST = "2025-03-01T09:00:00Z"
_FUTURE = "2031-03-01T09:00:00Z"


@pytest.fixture
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """Applier and jobs at work in a world of its own."""
    with (
        own_world(embedded_stack, template_database) as settings,
        running(settings, "applier"),
        running(settings, "relay"),
        running(settings, "jobs"),
    ):
        yield settings


def customer(settings: Settings, name: str = "A") -> str:
    identity = new_id()
    data = {"id": identity, "kind": "person", "displayName": name}
    assert outcomes(settings, [event("entity.upsert", identity, data)])[0]["outcome"] == "applied"
    return identity


def interaction(settings: Settings, identity: str) -> dict[str, Any]:
    found = rows_of(settings, "SELECT to_jsonb(i) FROM customer_interactions i WHERE i.id = %s", identity)
    assert found, f"there is no interaction {identity}"
    row: dict[str, Any] = found[0][0]
    return row


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def journal_size(settings: Settings) -> int:
    size: int = rows_of(settings, "SELECT count(*) FROM journal")[0][0]
    return size


def set_flag(settings: Settings, flag: str, *, on: bool = True) -> dict[str, Any]:
    return outcomes(settings, [event("feature_flag.set", TENANT, {"flag": flag, "enabled": on})])[0]


def parity_of(settings: Settings) -> dict[str, Any]:
    job = run_job(settings, "parity")
    report: dict[str, Any] = job.report["tenants"][TENANT]
    assert (job.state == "completed") == report["passed"], job
    return report


def test_every_row_is_moved_with_its_history(world: Settings) -> None:
    known, other = customer(world), customer(world)
    deal, foreign = new_id(), new_id()
    outcomes(world, [event("deal.upsert", known, {"id": deal, "title": "D"}),
                     event("deal.upsert", other, {"id": foreign, "title": "E"})])  # fmt: skip
    logged = plant(world, "customer_activities", entity_id=known, deal_id=deal, subject="S", body="B",
                   occurred_at=_PAST, appearance_color="0A0b0C", appearance_icon="phone")  # fmt: skip
    open_ = plant(world, "customer_activities", entity_id=known, activity_type="Call / Email",
                  deal_id=foreign, subject="x" * 600, appearance_color="red")  # fmt: skip
    lost = plant(world, "customer_activities", entity_id=new_id(), occurred_at="0001-01-01T00:00:00Z")
    todo = new_id()
    plant(world, "legacy_todos", id=todo, due_at=_FUTURE, priority="7", severity="high", description="D")
    first = plant(world, "customer_todo_links", id="00000000-0000-4000-8000-000000000001",
                  entity_id=known, todo_id=todo)  # fmt: skip
    plant(world, "customer_todo_links", id="00000000-0000-4000-8000-000000000002", entity_id=known,
          todo_id=todo)  # fmt: skip
    shared = plant(world, "customer_todo_links", entity_id=other, todo_id=todo)
    dead = plant(world, "customer_todo_links", entity_id=known, todo_id=new_id(), todo_source="gone:todo")
    copied = plant(world, "legacy_interactions", entity_id=other, status="in_progress", title="T",
                   scheduled_at=_PAST, dropped=["location"])  # fmt: skip
    assert set_flag(world, UNIFIED)["problem"]["code"] == "legacy_rows_not_validated"
    assert set_flag(world, EXTERNAL_SYNC)["problem"]["code"] == "legacy_rows_not_validated"
    assert set_flag(world, UNIFIED, on=False)["outcome"] == "applied"

    job = run_job(world, "backfill", what="all")
    assert (job.state, job.done, job.total) == ("completed", 8, 8), job
    assert set(rows_of(world, "SELECT DISTINCT source FROM customer_interactions")) == {
        ("migration:activity",), ("migration:todo_link",), ("migration:interaction",)
    }  # fmt: skip

    row = interaction(world, logged)
    assert (row["status"], row["deal_id"], row["title"], row["body"]) == ("done", deal, "S", "B")
    assert (row["appearance_color"], row["appearance_icon"]) == ("#0A0b0C", "phone")
    assert (instant(row["created_at"]), instant(row["updated_at"])) == (_CREATED, _UPDATED)
    assert instant(row["occurred_at"]) == instant(_PAST)
    row = interaction(world, open_)
    assert (row["interaction_type"], row["deal_id"], len(row["title"])) == ("call_email", None, 500)
    assert (row["status"], row["appearance_color"]) == ("planned", None)
    row = interaction(world, lost)
    assert (row["status"], instant(row["occurred_at"])) == ("done", _UPDATED)
    for link, of in ((first, known), (shared, other)):
        row = interaction(world, link)
        assert (row["entity_id"], row["title"], row["body"]) == (of, "Send the offer", "D")
        assert (row["priority"], instant(row["scheduled_at"])) == (7, instant(_FUTURE))
    row = interaction(world, dead)
    assert (row["title"], row["body"][:16]) == ("Task from gone:todo", "Not found: todo ")
    row = interaction(world, copied)
    # Past, and announced in the system that it comes from.
    assert (row["status"], row["due_phase"], instant(row["scheduled_at"])) == ("planned", 2, instant(_PAST))

    assert job.report["activity"]["created"] == 3
    fields = job.report["activity"]["fields"]
    assert fields["interaction_type"] == {"copied": 2, "normalised": 1}
    assert fields["deal_id"] == {"copied": 1, "dropped": 1}
    assert fields["occurred_at"] == {"copied": 1, "dropped": 1}
    assert job.report["activity"]["samples"]["deal_id dropped"] == [open_]
    todos = job.report["todo"]
    assert (todos["rows"], todos["created"], todos["repeated"], todos["shared"]) == (4, 3, 1, 3)
    assert (todos["notFound"], todos["samples"]["notFound"]) == (1, [dead])
    assert job.report["interaction"]["fields"]["location"] == {"dropped": 1}
    assert job.report["placeholders"] == 1
    # No text of a customer in the report.
    assert "Send the offer" not in json.dumps(job.report)

    # The next interaction of each customer is right, and the parity check says so.
    ((next_of_known,),) = rows_of(
        world, "SELECT next_interaction_ref_id::text FROM customer_entities WHERE id = %s", known
    )
    assert next_of_known == first
    report = parity_of(world)
    assert report["passed"], report
    counts = {"rows": 4, "repeated": 1, "moved": 3, "sums": 2, "sampled": 3, "changedSince": 0}
    assert report["todo"] == counts
    assert set_flag(world, UNIFIED)["outcome"] == "applied"
    assert set_flag(world, EXTERNAL_SYNC)["outcome"] == "applied"

    set_flag(world, EXTERNAL_SYNC, on=False)
    before = journal_size(world)
    again = run_job(world, "backfill", what="all")
    assert (again.state, again.report["activity"]["moved"]) == ("completed", 3)
    assert journal_size(world) == before
    assert_clean(world)


def test_past_schedules_are_not_announced(world: Settings) -> None:
    entity = customer(world)
    todo = new_id()
    plant(world, "legacy_todos", id=todo, due_at=_PAST)
    link = plant(world, "customer_todo_links", entity_id=entity, todo_id=todo)
    assert run_job(world, "backfill", what="todos").state == "completed"
    late = new_id()
    with running(world, "timers"):
        data = {"id": late, "interactionType": "call", "scheduledAt": _PAST}
        outcomes(world, [event("interaction.create", entity, data)])

        def announced() -> set[str]:
            return {
                record.headers["ce_subject"]
                for record in read_topic(world, EVENTS)
                if record.headers["ce_type"].rpartition(".")[2] == "overdue"
            }

        wait_until(lambda: late in announced(), 60, lambda: str(announced()))
        assert announced() == {late}
    assert interaction(world, link)["due_phase"] == 2


def test_a_newer_row_of_the_same_id_wins(world: Settings) -> None:
    entity, other = customer(world), customer(world)
    activity = plant(world, "customer_activities", entity_id=entity, subject="old")
    plant(world, "legacy_interactions", id=activity, entity_id=entity, title="new", status="done",
          occurred_at=_PAST)  # fmt: skip
    # Its own backfill named the interaction after the todo, and lost the second link.
    todo = new_id()
    link = plant(world, "customer_todo_links", entity_id=entity, todo_id=todo)
    second = plant(world, "customer_todo_links", entity_id=other, todo_id=todo)
    plant(world, "legacy_interactions", id=todo, entity_id=entity, interaction_type="task", title="moved")
    job = run_job(world, "backfill", what="all")
    assert job.state == "completed", job
    assert interaction(world, activity)["title"] == "new"
    assert interaction(world, todo)["title"] == "moved"
    assert interaction(world, second)["entity_id"] == other
    assert rows_of(world, "SELECT count(*) FROM customer_interactions") == [(3,)]
    assert job.report["activity"]["superseded"] == job.report["todo"]["superseded"] == 1
    assert parity_of(world)["passed"], link


def test_a_strict_dictionary_gets_no_new_types(world: Settings) -> None:
    entity = customer(world)
    strict = event("interaction_type.upsert", ORGANIZATION, {"interactionType": "visit", "strict": True})
    outcomes(world, [strict])
    unknown = plant(world, "customer_activities", entity_id=entity, activity_type="Trade fair", body="B")
    assert run_job(world, "backfill", what="activities").state == "completed"
    row = interaction(world, unknown)
    assert (row["interaction_type"], row["body"]) == ("note", "B\n\nType: Trade fair")
    codes = {code for (code,) in rows_of(world, "SELECT code FROM interaction_types")}
    assert codes == set(DEFAULT_TYPES)
    assert parity_of(world)["passed"]


def test_it_resumes_after_kill_9(embedded_stack: Settings, template_database: str) -> None:
    with own_world(embedded_stack, template_database) as settings, running(settings, "applier"):
        entities = [customer(settings, name) for name in "ABC"]
        planted = plant_all(
            settings,
            "customer_activities",
            [{"entity_id": entities[n % 3], "subject": str(n)} for n in range(3000)],
        )
        job_id = start_job(settings, "backfill", what="all")
        for part in (100, 700, 1500):
            with running(settings, "jobs") as role:
                wait_until(
                    partial(_has_done, settings, job_id, part), 60, lambda: str(job_of(settings, job_id))
                )
                role.kill()
        assert job_of(settings, job_id).state == "running"
        with running(settings, "jobs"), running(settings, "relay"):
            job = wait_for_job(settings, job_id)
            assert (job.state, job.done) == ("completed", 3000), job
            assert rows_of(settings, "SELECT count(*) FROM customer_interactions") == [(len(planted),)]
            assert parity_of(settings)["passed"]
            assert_clean(settings)


def _has_done(settings: Settings, job_id: str, rows: int) -> bool:
    return job_of(settings, job_id).done >= rows


def test_it_pauses_and_goes_on(world: Settings) -> None:
    entity = customer(world)
    plant_all(world, "customer_activities", [{"entity_id": entity} for _ in range(2000)])
    job_id = start_job(world, "backfill", what="all")
    wait_until(lambda: job_of(world, job_id).done > 0, 30, lambda: str(job_of(world, job_id)))
    with connect(world, application_name="test", autocommit=True) as connection:
        assert request_job(connection, job_id, "pause")
        done = job_of(world, job_id).done
        assert job_of(world, job_id).state == "paused"
        assert request_job(connection, job_id, "resume")
    job = wait_for_job(world, job_id)
    assert (job.state, job.done) == ("completed", 2000)
    assert 0 < done < 2000


def test_a_dead_source_of_todos_pauses_the_job(embedded_stack: Settings, template_database: str) -> None:
    """Only failed batches are repeated, when the source is back."""
    with own_world(embedded_stack, template_database) as settings, running(settings, "applier"):
        entity = customer(settings)
        todos = [new_id() for _ in range(500)]
        plant_all(
            settings,
            "customer_todo_links",
            [{"entity_id": entity, "todo_id": todo, "todo_source": "crm:todo"} for todo in todos],
        )
        job_id = start_job(settings, "backfill", what="todos")
        dead = {"crm:todo": {"kind": "http", "url": "http://127.0.0.1:9/todos", "seconds": 1}}
        with running(settings, "jobs", INTERACTIONS_JOBS_TODO_SOURCES=json.dumps(dead)):
            job = wait_for_job(settings, job_id)
        assert job.state == "paused"
        assert "batches failed" in str(job.reason)
        assert job.done < 500
        assert rows_of(settings, "SELECT count(*) FROM customer_interactions") == [(0,)]
        with connect(settings, application_name="test", autocommit=True) as connection:
            connection.execute("CREATE TABLE crm (id uuid, title text, is_done boolean, due_at timestamptz)")
            connection.execute("INSERT INTO crm SELECT unnest(%s::uuid[]), 'From the CRM', true", (todos,))
            assert request_job(connection, job_id, "resume")
        assert settings.database_url is not None
        alive = {"crm:todo": {"kind": "sql", "url": settings.database_url.get_secret_value(),
                              "query": "SELECT * FROM crm WHERE id = ANY(%(ids)s::uuid[])"}}  # fmt: skip
        with running(settings, "jobs", INTERACTIONS_JOBS_TODO_SOURCES=json.dumps(alive)):
            job = wait_for_job(settings, job_id)
            assert (job.state, job.done) == ("completed", 500), job
            assert rows_of(
                settings, "SELECT title, status, count(*) FROM customer_interactions GROUP BY 1, 2"
            ) == [("From the CRM", "done", 500)]
            assert parity_of(settings)["passed"]


def test_what_a_job_made_can_be_taken_back(world: Settings) -> None:
    entity = customer(world)
    planted = plant_all(world, "customer_activities", [{"entity_id": entity} for _ in range(60)])
    job = run_job(world, "backfill", what="all")
    changed, deleted, *_ = planted
    outcomes(world, [event("interaction.update", entity, {"id": changed, "title": "Edited"}),
                     event("interaction.delete", entity, {"id": deleted})])  # fmt: skip
    back = run_job(world, "backfill_rollback", job=job.id)
    assert back.state == "completed", back
    samples = {"version_conflict": [changed]}
    assert back.report["interactions"] == {"removed": 58, "kept": 1, "gone": 1, "samples": samples}
    assert rows_of(world, "SELECT id::text, title FROM customer_interactions") == [(changed, "Edited")]
    assert set_flag(world, UNIFIED)["problem"]["code"] == "legacy_rows_not_validated"
    # The rows can be moved once more; what a user deleted stays deleted.
    second = run_job(world, "backfill", what="all")
    assert (second.state, second.report["activity"]["created"]) == ("completed", 58), second
    assert second.report["activity"]["deleted"] == second.report["activity"]["moved"] == 1
    assert rows_of(world, "SELECT count(*) FROM customer_interactions") == [(59,)]
    assert parity_of(world)["passed"]
    assert_clean(world)


def test_parity_finds_what_differs(world: Settings) -> None:
    row = {"entity_id": customer(world), "occurred_at": _PAST, "subject": "S"}
    planted = plant_all(world, "customer_activities", [row] * 20)
    assert run_job(world, "backfill", what="all").state == "completed"
    report = parity_of(world)
    assert report["passed"]
    for change, difference in (
        ("UPDATE customer_interactions SET title = 'other' WHERE id = %s", "activity: title"),
        (
            "UPDATE customer_interactions SET occurred_at = occurred_at + interval '1 day' WHERE id = %s",
            "activity: sums per day and type",
        ),
        ("DELETE FROM customer_interactions WHERE id = %s", "activity: rows not moved"),
    ):
        with connect(world, application_name="test", autocommit=True) as connection:
            connection.execute(change.encode(), (planted[0],))
        report = parity_of(world)
        assert not report["passed"]
        assert difference in report["differences"], report
    # The last change left the projection of the customer behind.
    assert report["differences"]["customers: projection"] == 1
    assert set_flag(world, UNIFIED)["problem"]["code"] == "legacy_rows_not_validated"


def test_it_does_not_start_while_providers_would_get_every_row(world: Settings) -> None:
    entity = customer(world)
    assert set_flag(world, EXTERNAL_SYNC)["outcome"] == "applied"
    with connect(world, application_name="test", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO integrations (id, tenant_id, organization_id, provider, settings, policy, secrets,"
            " secrets_key_id, state) VALUES ('board', %s, %s, 'trello', '{}', '{}', '', 'k', 'active')",
            (TENANT, ORGANIZATION),
        )
    activity = plant(world, "customer_activities", entity_id=entity)
    plant(world, "legacy_external_links", integration_id="old-board", legacy_id=activity, external_id="card1",
          external_url="https://example.com/c/1")  # fmt: skip
    job = run_job(world, "backfill", what="all", integrations={"old-board": "board"})
    assert job.state == "paused"
    assert "external-sync off" in str(job.reason)
    set_flag(world, EXTERNAL_SYNC, on=False)
    with connect(world, application_name="test", autocommit=True) as connection:
        assert request_job(connection, job.id, "resume")
    job = wait_for_job(world, job.id)
    assert (job.state, job.report["links"]) == ("completed", {"mapped": 1})
    statement = "SELECT local_id::text, external_id, base, last_synced_at FROM sync_external_id_mappings"
    assert rows_of(world, statement) == [(activity, "card1", {}, None)]
    # A rollback takes the mapping back, too: its interaction was not deleted by a user.
    assert run_job(world, "backfill_rollback", job=job.id).state == "completed"
    assert rows_of(world, statement) == []


def test_an_update_in_the_future_counts_as_now(world: Settings) -> None:
    entity = customer(world)
    ahead = (datetime.now(UTC) + timedelta(days=400)).isoformat()
    row = plant(world, "customer_activities", entity_id=entity, created_at=ahead, updated_at=ahead)
    assert run_job(world, "backfill", what="all").state == "completed"
    found = interaction(world, row)
    assert instant(found["created_at"]) <= datetime.now(UTC) >= instant(found["updated_at"])
    assert parity_of(world)["passed"]


def test_a_row_without_any_readable_time_is_moved_and_compared(world: Settings) -> None:
    lost = {"created_at": "0001-01-01T00:00:00Z", "updated_at": "infinity", "occurred_at": "-infinity"}
    row = plant(world, "customer_activities", entity_id=customer(world), **lost)
    job = run_job(world, "backfill", what="all")
    assert job.state == "completed"
    dropped = {field: fates.get("dropped") for field, fates in job.report["activity"]["fields"].items()}
    assert [dropped[field] for field in ("created_at", "updated_at", "occurred_at")] == [1, 1, 1]
    found = interaction(world, row)
    assert found["status"] == "done"
    assert instant(found["occurred_at"]) <= datetime.now(UTC)
    assert parity_of(world)["passed"]
