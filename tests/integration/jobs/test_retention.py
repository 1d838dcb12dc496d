"""Dropped months: what can no longer be known afterwards, what still is, and what keeps a month."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from api.queries.interaction_views import view_sql
from runtime.postgres import Connection, connect
from runtime.retention_settings import RetentionSettings
from runtime.settings import Settings
from sinks.journal_months import Month, MonthInUseError, drop_month, journal_months, keep_deletions, needed_by
from sinks.journal_reader import cluster_epoch
from sinks.legacy_rows import ROLLBACK_ACTOR
from sinks.legacy_tables import lift_freeze
from sinks.monthly_partitions import ensure_partitions
from sinks.retention import expired_rows, remove_rows, row_policies
from sinks.retention_policy import retention_policies
from streams.jobs.retention import _plan_month
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id
from tests.integration.test_batch_transaction import Log
from tests.unit.sinks.test_retention_policy import TOPICS

pytestmark = pytest.mark.integration
NAME = "journal_y2024m01"


@pytest.fixture
def writer(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test") as opened:
        yield opened


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test", autocommit=True) as opened:
        yield opened


def age(connection: Connection, logged_at: str = "2024-01-15") -> Month:
    """Move the whole journal into an old month, and say that everything in it is published."""
    ensure_partitions(connection, date(2024, 1, 15))
    connection.execute("UPDATE journal SET logged_at = %s", (logged_at,))
    connection.execute("UPDATE consumed_offsets SET results_offset = next_offset")
    connection.execute(
        "INSERT INTO relay_positions (shard, epoch, xid_floor, position) VALUES ('0', %s, %s, 0)"
        " ON CONFLICT (shard) DO UPDATE SET xid_floor = excluded.xid_floor",
        (cluster_epoch(connection), 2**62),
    )
    return month(connection)


def month(connection: Connection, name: str = NAME) -> Month:
    (found,) = [it for it in journal_months(connection) if it.name == name]
    return found


def drop(connection: Connection) -> None:
    found = month(connection)
    keep_deletions(connection, found)
    drop_month(connection, found)
    assert NAME not in {it.name for it in journal_months(connection)}


def apply(log: Log, *messages: dict[str, Any]) -> list[str]:
    first = len(log.records)
    for message in messages:
        log.append(message)
    return log.apply(first, len(log.records))


def person(entity: str) -> dict[str, Any]:
    return event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})


def call(entity: str, identity: str, **data: Any) -> dict[str, Any]:
    return event("interaction.create", entity, {"id": identity, "interactionType": "call", **data})


def test_after_the_drop_an_old_command_is_a_new_one_and_cannot_be_undone(
    writer: Connection, connection: Connection
) -> None:
    log, entity, identity = Log(writer), new_id(), new_id()
    create, complete = call(entity, identity), event("interaction.complete", entity, {"id": identity})
    undo = event("interaction.undo", entity, {"commandId": complete["id"]})
    assert apply(log, person(entity), create, complete) == ["applied"] * 3
    age(connection)
    assert apply(log, create, complete) == ["duplicate"] * 2, "its month is still there"
    drop(connection)
    # By the present rules: the interaction exists, and it is done.
    assert apply(log, undo, create, complete) == ["rejected", "rejected", "rejected"]
    codes = connection.execute(
        "SELECT facts -> 'problem' ->> 'code' FROM journal WHERE outcome = 'rejected' ORDER BY \"offset\""
    ).fetchall()
    assert codes == [("undo_not_found",), ("interaction_exists",), ("already_done",)]
    state = connection.execute("SELECT status, version FROM customer_interactions").fetchall()
    assert state == [("done", 2)], "nothing was changed twice"


def test_versions_continue_from_a_deletion_whose_month_is_dropped(
    writer: Connection, connection: Connection
) -> None:
    log, entity, kept, gone = Log(writer), new_id(), new_id(), new_id()
    apply(log, person(entity), call(entity, gone), call(entity, kept))
    update = event("interaction.update", entity, {"id": gone, "title": "Changed"})
    assert apply(log, update, event("interaction.delete", entity, {"id": gone})) == ["applied"] * 2
    (last,) = connection.execute(
        "SELECT retired_version FROM journal WHERE retired_version > 0"
    ).fetchone() or (None,)
    age(connection)
    drop(connection)
    assert apply(log, call(entity, gone)) == ["applied"]
    row = connection.execute("SELECT version FROM customer_interactions WHERE id = %s", (gone,)).fetchone()
    assert row == (last + 1,)
    # A later deletion in the journal counts more.
    apply(log, event("interaction.delete", entity, {"id": gone}))
    assert apply(log, call(entity, gone)) == ["applied"]
    row = connection.execute("SELECT version FROM customer_interactions WHERE id = %s", (gone,)).fetchone()
    assert row == (last + 3,)
    # The deletions of two dropped months are one row.
    apply(log, event("interaction.delete", entity, {"id": gone}))
    age(connection)
    drop(connection)
    found = connection.execute(
        "SELECT interaction_id::text, retired_version FROM dropped_deletions"
    ).fetchall()
    assert found == [(gone, last + 4)]


def legacy_ids(connection: Connection) -> set[str]:
    given = {"tenant": TENANT, "organization": ORGANIZATION}
    statement = f"SELECT id::text FROM ({view_sql('activities', legacy=True)}) v"
    return {row[0] for row in connection.execute(statement, given)}


def test_a_deleted_legacy_row_does_not_come_back(writer: Connection, connection: Connection) -> None:
    log, entity, deleted, taken_back, untouched = Log(writer), new_id(), new_id(), new_id(), new_id()
    with connection.transaction():
        lift_freeze(connection)
        for identity in (deleted, taken_back, untouched):
            connection.execute(
                "INSERT INTO customer_activities (id, organization_id, tenant_id, entity_id, activity_type,"
                " created_at, updated_at) VALUES (%s, %s, %s, %s, 'call', now(), now())",
                (identity, ORGANIZATION, TENANT, entity),
            )
    apply(log, person(entity), call(entity, deleted), call(entity, taken_back))
    apply(
        log,
        event("interaction.delete", entity, {"id": deleted}),
        event("interaction.delete", entity, {"id": taken_back}, actorid=ROLLBACK_ACTOR),
    )
    assert legacy_ids(connection) == {taken_back, untouched}
    age(connection)
    drop(connection)
    assert legacy_ids(connection) == {taken_back, untouched}


@pytest.mark.parametrize("needs", ["relay", "other cluster", "watch", "results", "integration"])
def test_a_month_that_something_needs_is_kept(writer: Connection, connection: Connection, needs: str) -> None:
    log, entity = Log(writer), new_id()
    apply(log, person(entity), call(entity, new_id()))
    found = age(connection)
    assert needed_by(connection, found) is None, "all of it is published"
    if needs == "relay":
        connection.execute("UPDATE relay_positions SET xid_floor = 0")
    elif needs == "other cluster":
        connection.execute("UPDATE relay_positions SET epoch = 'another'")
    elif needs == "watch":
        connection.execute(
            "INSERT INTO watch_progress (name, epoch, xid_floor) VALUES ('watch', %s, 0)",
            (cluster_epoch(connection),),
        )
    elif needs == "results":
        connection.execute("UPDATE consumed_offsets SET results_offset = next_offset - 1")
    else:
        connection.execute(_INTEGRATION)
        connection.execute(
            "INSERT INTO sync_ledger (integration_id, interaction_id, tenant_id, organization_id, pending,"
            " updated_at) VALUES ('i', gen_random_uuid(), %s, %s, '{}', '2024-01-20')",
            (TENANT, ORGANIZATION),
        )
    reason = needed_by(connection, found)
    assert reason is not None
    assert needs in reason or needs == "other cluster"


def test_a_month_without_events_to_publish_needs_no_relay(writer: Connection, connection: Connection) -> None:
    log = Log(writer)
    refused = event("interaction.complete", new_id(), {"id": new_id()})
    assert apply(log, refused) == ["rejected"]
    found = age(connection)
    connection.execute("DELETE FROM relay_positions")
    assert needed_by(connection, found) is None


def test_the_edge_of_a_month(connection: Connection) -> None:
    ensure_partitions(connection, date(2024, 1, 15))
    found = month(connection)
    assert found.end == datetime(2024, 2, 1, tzinfo=UTC)
    policy = retention_policies(RetentionSettings(), TOPICS)[0]
    age_ = timedelta(days=policy.days)
    for moment, dropped in (
        (found.end + age_ - timedelta(microseconds=1), False),
        (found.end + age_, True),
    ):
        assert _plan_month(connection, found, policy, moment).drop is dropped


def test_a_reader_delays_the_drop_and_the_drop_delays_nothing(
    fresh_database: Settings, writer: Connection, connection: Connection
) -> None:
    log, entity = Log(writer), new_id()
    apply(log, person(entity), call(entity, new_id()))
    age(connection)
    attempts: list[Exception | None] = []

    def attempt() -> None:
        with connect(fresh_database, application_name="test", autocommit=True) as own:
            try:
                drop_month(own, month(own))
            except MonthInUseError as error:
                attempts.append(error)
            else:
                attempts.append(None)

    with connect(fresh_database, application_name="reader") as reader:
        reader.execute("SELECT count(*) FROM journal")
        dropping = threading.Thread(target=attempt)
        dropping.start()
        writer.execute("SET statement_timeout = '1s'")
        writer.commit()
        applied = 0
        while dropping.is_alive():
            assert apply(log, call(entity, new_id())) == ["applied"], "each batch within a second"
            applied += 1
        dropping.join()
        assert isinstance(attempts[0], MonthInUseError)
        assert applied > 1
        assert month(connection).pending
    attempt()
    assert attempts[1] is None, "the next attempt completes the interrupted one"
    assert NAME not in {it.name for it in journal_months(connection)}


def test_a_month_that_is_detached_and_not_dropped_is_found(connection: Connection) -> None:
    ensure_partitions(connection, date(2024, 1, 15))
    connection.execute(f"ALTER TABLE journal DETACH PARTITION {NAME} CONCURRENTLY")
    found = month(connection)
    assert not found.attached
    policy = retention_policies(RetentionSettings(), TOPICS)[0]
    assert _plan_month(connection, found, policy, datetime.now(UTC)).drop
    drop_month(connection, found)
    assert NAME not in {it.name for it in journal_months(connection)}


_SCOPE = f"'{TENANT}', '{ORGANIZATION}'"
_INTEGRATION = f"""
INSERT INTO integrations (id, tenant_id, organization_id, provider, settings, policy, secrets, secrets_key_id,
  state) VALUES ('i', {_SCOPE}, 'trello', '{{}}', '{{}}', '', '', 'active')
"""
#: Rows that a policy applies to; ``{0}`` is their time.
_ROWS = (
    f"""INSERT INTO sync_echo_log (integration_id, tenant_id, organization_id, interaction_id, content_hash,
      written, expires_at) SELECT 'i', {_SCOPE}, gen_random_uuid(), 'h', '[]', {{0}}""",
    f"""INSERT INTO webhook_receipts (integration_id, event_id, tenant_id, organization_id, external_id,
      received_at) SELECT 'i', gen_random_uuid()::text, {_SCOPE}, 'card', {{0}}""",
    f"""INSERT INTO integration_warnings (id, integration_id, tenant_id, organization_id, kind, detail, state,
      resolved_at) SELECT gen_random_uuid(), 'i', {_SCOPE}, 'failed', 'd', 'resolved', {{0}}""",
    f"""INSERT INTO integrity_violations (id, tenant_id, organization_id, check_name, entity_id, subject,
      subject_id, what, healed_at) SELECT gen_random_uuid(), {_SCOPE}, 'A3', gen_random_uuid(), 'customer',
      gen_random_uuid(), 'w', {{0}}""",
    """INSERT INTO jobs (id, kind, state, created_at, finished_at)
      SELECT gen_random_uuid(), 'recompute', 'completed', {0}, {0}""",
    """INSERT INTO jobs (id, kind, state, created_at, finished_at)
      SELECT gen_random_uuid(), 'reconcile', 'completed', {0}, {0}""",
)
#: Rows that are never too old.
_OPEN_ROWS = (
    f"""INSERT INTO integration_warnings (id, integration_id, tenant_id, organization_id, kind, detail,
      created_at) VALUES (gen_random_uuid(), 'i', {_SCOPE}, 'failed', 'd', {{0}})""",
    """INSERT INTO jobs (id, kind, state, created_at)
      VALUES (gen_random_uuid(), 'recompute', 'paused', {0})""",
)


def test_old_rows_are_removed_in_batches_and_the_others_stay(connection: Connection) -> None:
    connection.execute(_INTEGRATION)
    connection.execute("INSERT INTO job_schedules (name, due_at) VALUES ('reconcile', now())")
    old, new = "now() - interval '1 year'", "now()"
    for statement in _ROWS:
        for when, count in ((old, 5), (new, 1)):
            connection.execute(f"{statement.format(when)} FROM generate_series(1, {count})")
    for statement in _OPEN_ROWS:
        connection.execute(statement.format(old))
    policies = row_policies(retention_policies(RetentionSettings(), TOPICS))
    assert [expired_rows(connection, it).rows for it in policies] == [5] * len(policies)
    for policy in policies:
        assert [remove_rows(connection, policy, 3) for _ in range(3)] == [3, 2, 0], policy.setting
    tables = ("sync_echo_log", "webhook_receipts", "integration_warnings", "integrity_violations")
    left = [connection.execute(f"SELECT count(*) FROM {table}").fetchone() for table in tables]
    assert left == [(1,), (1,), (2,), (1,)]
    assert connection.execute("SELECT kind, state FROM jobs ORDER BY kind, state").fetchall() == [
        ("recompute", "completed"),
        ("recompute", "paused"),
        ("reconcile", "completed"),
    ]


def test_the_newest_report_of_a_kind_stays(connection: Connection) -> None:
    for tenant in (None, TENANT):
        connection.execute(
            "INSERT INTO jobs (id, kind, tenant_id, state, created_at, finished_at) SELECT gen_random_uuid(),"
            " 'recompute', %s, 'completed', y.ago, y.ago FROM (SELECT now() - interval '2 years' AS ago) y",
            (tenant,),
        )
    (policy,) = [
        it
        for it in row_policies(retention_policies(RetentionSettings(), TOPICS))
        if it.setting.endswith("_JOBS_DAYS")
    ]
    assert expired_rows(connection, policy).rows == 0
