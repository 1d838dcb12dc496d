"""Each stalled stage with pending work is reported in one sentence that names the partition."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from runtime.health import Stall
from runtime.kafka import make_producer
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import COMMANDS
from sinks.consumed_offsets import begin_partitions
from sinks.jobs.store import create_job
from streams import stalls
from streams.lag import lag_by_role
from streams.stalls import core_stalls
from tests.harness.roles import running, wait_until
from tests.harness.wire import ORGANIZATION, TENANT, Raw, event, new_id, outcomes, publish

pytestmark = pytest.mark.integration


@pytest.fixture
def impatient(fresh_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(stalls, "_AGAIN_SECONDS", 0.1)
    return fresh_settings.model_copy(update={"stuck_after_seconds": 0.2})


def _stalls(settings: Settings, count: int) -> dict[str, Stall]:
    found: list[Stall] = []

    def complete() -> bool:
        found[:] = core_stalls(settings)
        return len(found) == count

    wait_until(complete, 30, lambda: str(found))
    return {stall.stage: stall for stall in found}


def _applied(settings: Settings, partition: int, offset: int) -> None:
    begin_partitions(settings, [partition], None)
    with connect(settings, application_name="test", autocommit=True) as connection:
        connection.execute(
            "UPDATE consumed_offsets SET next_offset = %s, updated_at = now() - interval '1 hour'"
            " WHERE partition = %s",
            (offset, partition),
        )


def _journal_row(settings: Settings) -> None:
    with connect(settings, application_name="test", autocommit=True) as connection:
        connection.execute(
            'INSERT INTO journal (tenant_id, organization_id, command_id, command_type, partition, "offset",'
            " fingerprint, outcome, appended_at, facts, events)"
            " VALUES (%s, %s, %s, 'customers.interaction.create', 0, 0, '', 'applied', now(), '{}', 1)",
            (TENANT, ORGANIZATION, new_id()),
        )


def test_each_stage_is_named_with_its_place(impatient: Settings) -> None:
    settings = impatient
    assert core_stalls(settings) == []

    # Partition 0: not applied, as when an applier's reader has died or crashes on the record.
    publish(settings, [Raw(b"a", b"x", (), 0)])
    # Partition 1: applied, but the result is not published.
    publish(settings, [Raw(b"a", b"x", (), 1)])
    _applied(settings, 1, 1)
    # Partition 2: a publisher died inside a transaction.
    producer = make_producer(settings, **{"transactional.id": new_id()})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(settings.topic(COMMANDS), key=b"a", value=orjson.dumps({}), partition=2)
    producer.flush(30)
    publish(settings, [Raw(b"a", b"x", (), 2) for _ in range(4)])
    _journal_row(settings)

    found = _stalls(settings, 4)
    assert set(found) == {"applied", "results", "consumed", "events"}
    assert found["applied"].place == "partition 0, offset 0"
    assert "The command at offset 0 of partition 0 is not applied" in found["applied"].reason
    assert found["results"].place == "partition 1, offset 0"
    assert "offset 0 of partition 1 is applied, but its result is not published" in found["results"].reason
    assert found["consumed"].place == "partition 2, offset 0"
    assert "open transaction holds back partition 2 from offset 0 on: up to 5" in found["consumed"].reason
    assert found["events"].place == "journal position 1"
    assert all(stall.reason.count("\n") == 0 and stall.seconds > 0 for stall in found.values())
    assert lag_by_role(settings)["applier"] == 1 + 5, "the commands behind an open transaction count"

    producer.abort_transaction(30)
    assert "consumed" not in _stalls(settings, 4)


def test_events_that_wait_for_a_transaction_name_its_session(impatient: Settings) -> None:
    with connect(impatient, application_name="a long report") as blocking:
        blocking.execute("SELECT pg_current_xact_id()")
        _journal_row(impatient)
        named = "for the end of a database transaction: of a long report (process"
        # A transaction of another test may be older: the server has one order for all databases.
        wait_until(lambda: named in _stalls(impatient, 1)["events"].reason, 30)


def _due_call(settings: Settings) -> str:
    """Plan a call for yesterday."""
    entity, call = new_id(), new_id()
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    with running(settings, "applier"):
        outcomes(
            settings,
            [
                event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}),
                event(
                    "interaction.create",
                    entity,
                    {"id": call, "interactionType": "call", "scheduledAt": yesterday},
                ),
            ],
        )
    return call


def test_marks_that_are_missing_are_reported_unless_commands_wait(impatient: Settings) -> None:
    settings = impatient
    call = _due_call(settings)
    found = _stalls(settings, 2)["due"]  # no relay runs, so events wait, too
    assert found.place == f"interaction {call}"
    assert found.reason.startswith(f"Interaction {call} is due and not marked so, and nothing has moved")
    # The mark may be among the commands that wait.
    publish(settings, [Raw(b"a", b"x", (), 0)])
    assert set(_stalls(settings, 2)) == {"applied", "events"}


def test_a_late_draft_is_reported(impatient: Settings) -> None:
    settings = impatient
    call, signal = _due_call(settings), new_id()
    with connect(settings, application_name="test", autocommit=True) as connection:
        connection.execute("UPDATE customer_interactions SET due_phase = 2")
        connection.execute(
            "INSERT INTO signals (id, tenant_id, organization_id, interaction_id, entity_id, kind, title,"
            " status, detected_at, resolution, requested_at, version, created_at, updated_at)"
            " SELECT %s, tenant_id, organization_id, id, entity_id, 'follow_up', 't', 'resolving', now(), 4,"
            " now() - interval '1 hour', 1, now(), now() FROM customer_interactions WHERE id = %s",
            (signal, call),
        )
    found = _stalls(settings, 2)["drafts"]
    assert found.place == f"signal {signal}"
    assert "is still being resolved after its deadline" in found.reason


def test_a_job_that_no_process_works_on_is_reported(impatient: Settings) -> None:
    settings, job, silent = impatient, new_id(), new_id()
    with connect(settings, application_name="test", autocommit=True) as connection:
        create_job(connection, job, "bulk")
        found = _stalls(settings, 1)["jobs"]
        assert (found.place, found.stage) == (f"job {job}", "jobs")
        assert "of the lane bulk is waiting" in found.reason
        assert "start one with `interactions run jobs`" in found.reason
        # A process of the role works on one: it may be silent while it is within its own limit.
        with connect(settings, application_name="interactions-jobs", autocommit=True):
            connection.execute("UPDATE jobs SET state = 'running', updated_at = now()")
            assert core_stalls(settings) == []
            connection.execute("UPDATE jobs SET updated_at = now() - interval '16 minutes'")
            assert "is running" in _stalls(settings, 1)["jobs"].reason
            # A lane that has just finished a job is not stalled.
            connection.execute("UPDATE jobs SET state = 'completed', finished_at = now() + interval '1 hour'")
            create_job(connection, silent, "bulk")
            assert core_stalls(settings) == []
