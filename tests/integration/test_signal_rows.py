"""Signals and drafts in a real Postgres: the rows of the rules, whatever the batches; no orphans possible."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors as pg

from domain.decide import fold
from domain.model import Draft, Interaction, Signal, SignalOutcome
from domain.unit_of_work import UnitOfWork
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.decode import decode_record
from sinks.records import DRAFTS, INTERACTIONS, OUTCOMES, SIGNALS, StoredRecord
from tests.harness.signal_story import Story
from tests.harness.wire import event
from tests.integration.test_batch_transaction import Log, no_avro

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[tuple[Any, ...]]
TABLES: dict[str, tuple[type, StoredRecord[Any]]] = {
    "customer_interactions": (Interaction, INTERACTIONS),
    "signals": (Signal, SIGNALS),
    "generated_drafts": (Draft, DRAFTS),
    "signal_outcomes": (SignalOutcome, OUTCOMES),
}


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test") as opened:
        yield opened


def apply(connection: Connection, story: Story, size: int) -> Log:
    log = Log(connection)
    for message in story.messages:
        log.append(message)
    for first in range(0, len(story.messages), size):
        end = min(first + size, len(story.messages))
        assert set(log.apply(first, end)) == {"applied"}
    return log


def rows_of(connection: Connection, table: str) -> dict[str, Any]:
    record = TABLES[table][1]
    found = connection.execute(f"SELECT {record.selection('t')} FROM {table} t").fetchall()
    connection.commit()
    return {row[0]: record.of(row) for row in found}


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_the_tables_hold_the_rows_of_the_rules(connection: Connection, size: int) -> None:
    story = Story()
    story.everything()
    log = apply(connection, story, size)
    work = UnitOfWork()
    fold(work, [decode_record(record, no_avro) for record in log.records])
    for table, (kind, _) in TABLES.items():
        assert rows_of(connection, table) == dict(work.sets[kind]), table
    assert len(work.drafts) == 2
    assert {row.status for row in work.signals.values()} == {"resolved", "skipped"}


def test_deleting_an_interaction_leaves_zero_residue(connection: Connection) -> None:
    """Acceptance: no signal exists without a parent interaction."""
    story = Story()
    story.resolve(story.signals[0])
    story.add("interaction.delete", {"id": story.call})
    apply(connection, story, 100)
    assert {table: rows_of(connection, table) for table in TABLES} == {table: {} for table in TABLES}


@pytest.mark.parametrize("kind", ["interaction.update", "interaction.fix"])
def test_a_date_fix_is_a_single_update_of_one_row(
    fresh_database: Settings, connection: Connection, kind: str
) -> None:
    """Acceptance: zero new interaction ids, no new signals."""
    story = Story()
    log = apply(connection, story, 100)
    before = {table: set(rows_of(connection, table)) for table in TABLES}
    counts = _row_counts(fresh_database, connection)
    log.append(event(kind, story.ada, {"id": story.call, "occurredAt": "2026-01-05T09:00:00Z"}))
    end = len(log.records)
    assert log.apply(end - 1, end) == ["applied"]
    assert {table: set(rows_of(connection, table)) for table in TABLES} == before
    added = _row_counts(fresh_database, connection) - counts
    assert added == Counter({("customer_interactions", "updated"): 1})


def _row_counts(settings: Settings, writer: Connection) -> Counter[tuple[str, str]]:
    """Rows inserted, updated and deleted by the writer since the start, by table."""
    for statement in ("SELECT pg_stat_force_next_flush()", "SELECT 1"):
        writer.execute(statement)
        writer.commit()
    counts: Counter[tuple[str, str]] = Counter()
    with connect(settings, application_name="counts", autocommit=True) as own:
        for name, *numbers in own.execute(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables"
            " WHERE relname = ANY(%s)",
            (list(TABLES),),
        ).fetchall():
            for change, number in zip(("inserted", "updated", "deleted"), numbers, strict=True):
                counts[name, change] = number
    return counts


_ORPHANS = {
    "signal without its interaction": (
        "UPDATE signals SET interaction_id = gen_random_uuid()",
        pg.ForeignKeyViolation,
    ),
    "signal of another tenant": ("UPDATE signals SET tenant_id = gen_random_uuid()", pg.ForeignKeyViolation),
    "draft of another tenant": (
        "UPDATE generated_drafts SET tenant_id = gen_random_uuid()",
        pg.ForeignKeyViolation,
    ),
    "draft without its signal": ("DELETE FROM signal_outcomes; DELETE FROM signals", pg.ForeignKeyViolation),
    "interaction with signals": ("DELETE FROM customer_interactions", pg.ForeignKeyViolation),
    "resolved without a draft": (
        "UPDATE signals SET draft_id = NULL WHERE status = 'resolved'",
        pg.CheckViolation,
    ),
    "resolved with a draft that is gone": (
        "UPDATE signals SET draft_id = gen_random_uuid() WHERE status = 'resolved'",
        pg.ForeignKeyViolation,
    ),
    "outcome of another organization": (
        "UPDATE signal_outcomes SET organization_id = gen_random_uuid()",
        pg.ForeignKeyViolation,
    ),
}


@pytest.mark.parametrize("orphan", _ORPHANS)
def test_the_database_refuses_orphans(connection: Connection, orphan: str) -> None:
    story = Story()
    story.resolve(story.signals[0])
    apply(connection, story, 100)
    statement, refusal = _ORPHANS[orphan]
    with pytest.raises(refusal), connection.transaction():
        connection.execute(statement)


def test_a_failure_in_the_middle_leaves_neither_draft_nor_resolution(connection: Connection) -> None:
    """Acceptance: either everything updates or nothing does."""
    story = Story()
    apply(connection, story, 100)
    connection.execute("ALTER TABLE signal_outcomes RENAME COLUMN outcome TO gone")
    connection.commit()
    before = {table: rows_of(connection, table) for table in ("signals", "generated_drafts")}
    log = Log(connection)
    for message in story.messages:
        log.append(message)
    story.resolve(story.signals[0])
    for message in story.messages[-2:]:
        log.append(message)
    end = len(log.records)
    with pytest.raises(Exception, match="db upgrade"):
        log.apply(end - 2, end)
    assert {table: rows_of(connection, table) for table in before} == before
