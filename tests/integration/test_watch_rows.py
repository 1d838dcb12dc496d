"""Checks of the watch on a real Postgres: no correct history breaks one, and each kind of damage is found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import psycopg
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from sinks.integrity import journal_window, progress, row_checks
from sinks.integrity.progress import Progress, load_progress, save_progress
from sinks.integrity.row_checks import ROW_CHECKS, broken_rows, late_signals, next_page
from sinks.integrity.violations import Violation
from sinks.journal_reader import snapshot_xmin
from sinks.query_plans import KEEP_PLANS
from streams.watch.recent import look_at_journal
from streams.watch.sweep import Sweep
from tests.harness.histories import history
from tests.harness.roles import wait_until
from tests.harness.signal_story import Story
from tests.harness.wire import event, new_id
from tests.integration.test_batch_transaction import Log

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def writer(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test") as opened:
        yield opened


@pytest.fixture
def reader(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test", autocommit=True) as opened:
        for setting in KEEP_PLANS:
            opened.execute(setting)
        yield opened


def apply(log: Log, messages: list[dict[str, Any]], size: int) -> Iterator[list[str]]:
    start = len(log.records)
    for message in messages:
        log.append(message)
    for first in range(start, len(log.records), size):
        yield log.apply(first, min(first + size, len(log.records)))


def wait_for_the_end_of_older_transactions(connection: Connection, at: Progress) -> None:
    """Wait until the floor can move: the databases of all tests share one order of transactions."""
    wait_until(lambda: snapshot_xmin(connection) > at.floor, 30)


def rows_in_turn(connection: Connection) -> list[Violation]:
    return [
        violation
        for check in ROW_CHECKS
        for violation in broken_rows(connection, check, next_page(connection, check, None, 10_000))
    ]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_signals_and_undo_break_nothing(writer: Connection, reader: Connection, size: int) -> None:
    at, log, story = load_progress(reader), Log(writer), Story()
    story.everything()
    story.add("interaction.delete", {"id": story.call}, "over")
    story.add("interaction.undo", {"commandId": "over"})
    read = 0
    for outcomes in apply(log, story.messages, size):
        assert set(outcomes) == {"applied"}
        look = look_at_journal(reader, at)
        assert look.violations == []
        read += look.behind
        assert rows_in_turn(reader) == []
    assert read >= len(story.messages)


def test_a_history_with_deletions_and_undo_breaks_nothing(writer: Connection, reader: Connection) -> None:
    at, log = load_progress(reader), Log(writer)
    for _ in apply(log, list(history(23, 900, entities=12)), 40):
        assert look_at_journal(reader, at).violations == []
        assert rows_in_turn(reader) == []


def _story(writer: Connection) -> tuple[Story, str]:
    story = Story()
    draft = story.resolve(story.signals[0])
    for outcomes in apply(Log(writer), story.messages, 100):
        assert set(outcomes) == {"applied"}
    writer.execute("SET session_replication_role = replica")  # damage that the constraints would refuse
    return story, draft


_DAMAGE = {
    "resolved signal without its draft": ("DELETE FROM generated_drafts", {("A11", "signal")}),
    "draft of another signal": (
        "UPDATE generated_drafts SET signal_id = (SELECT id FROM signals WHERE status = 'open' LIMIT 1)",
        {("A11", "signal")},
    ),
    "draft of another tenant": (
        "UPDATE generated_drafts SET tenant_id = gen_random_uuid()",
        {("A12", "draft")},
    ),
    "draft of another user": ("UPDATE generated_drafts SET user_id = 'bob'", {("A12", "draft")}),
    "signals without their interaction": (
        "DELETE FROM customer_interactions",
        {("A13", "signal"), ("A3", "customer")},
    ),
    "signal of another tenant": (
        "UPDATE signals SET tenant_id = gen_random_uuid() WHERE status = 'open'",
        {("A13", "signal")},
    ),
    "draft and outcome without their signal": (
        "DELETE FROM signals WHERE status = 'resolved'",
        {("A13", "draft"), ("A13", "outcome")},
    ),
    "wrong count": ("UPDATE customer_entities SET open_count = open_count + 1", {("A3", "customer")}),
    "wrong next interaction": (
        "UPDATE customer_entities SET next_interaction_ref_id = gen_random_uuid()",
        {("A3", "customer")},
    ),
    "wrong last interaction": (
        "UPDATE customer_entities SET last_interaction_at = now()",
        {("A3", "customer")},
    ),
}


@pytest.mark.parametrize("damage", _DAMAGE)
def test_damage_by_hand_is_found(writer: Connection, reader: Connection, damage: str) -> None:
    _story(writer)
    assert rows_in_turn(reader) == []
    statement, expected = _DAMAGE[damage]
    writer.execute(statement)
    writer.commit()
    assert {(it.check, it.subject) for it in rows_in_turn(reader)} == expected


@pytest.mark.parametrize(
    ("table", "subject"),
    [("customer_interactions", "interaction"), ("signals", "signal"), ("generated_drafts", "draft")],
)
def test_a_row_that_an_entry_left_and_that_is_gone_is_lost(
    writer: Connection, reader: Connection, table: str, subject: str
) -> None:
    at = load_progress(reader)
    story, draft = _story(writer)
    lost = {"interaction": story.call, "signal": story.signals[1], "draft": draft}[subject]
    writer.execute(f"DELETE FROM {table} WHERE id = %s", (lost,))
    writer.commit()
    assert [(it.check, it.subject, it.subject_id) for it in look_at_journal(reader, at).violations] == [
        ("A14", subject, lost)
    ]


def test_a_removal_by_a_transaction_from_before_the_floor_explains_a_missing_row(
    writer: Connection, reader: Connection
) -> None:
    """A transaction may begin early, wait for another one's row, and remove it late."""
    at, log, story = load_progress(reader), Log(writer), Story()
    story.add("interaction.undo", {"commandId": str(story.version)})  # removes the last signal
    for outcomes in apply(log, story.messages, 1):
        assert set(outcomes) == {"applied"}
    writer.execute(
        "UPDATE journal SET xid = 1 WHERE position = (SELECT max(position) FROM journal)",
    )
    writer.commit()
    look = look_at_journal(reader, at)
    assert look.behind == len(story.messages) - 1
    assert look.violations == []


def test_entries_are_read_again_behind_an_open_transaction_and_never_missed(
    fresh_database: Settings, writer: Connection, reader: Connection
) -> None:
    at, log, story = load_progress(reader), Log(writer), Story()
    with connect(fresh_database, application_name="test") as slow:
        slow.execute("SELECT pg_current_xact_id()")
        list(apply(log, story.messages, 1))
        first = look_at_journal(reader, at)
        second = look_at_journal(reader, at)
        assert (first.behind, second.behind, second.current) == (len(story.messages),) * 2 + (False,)
        assert first.violations == second.violations == []
        slow.rollback()
    wait_for_the_end_of_older_transactions(reader, at)
    writer.execute("SET session_replication_role = replica")
    writer.execute("DELETE FROM signals")
    writer.commit()
    third = look_at_journal(reader, at)
    assert {it.subject_id for it in third.violations} == set(story.signals)
    wait_until(lambda: look_at_journal(reader, at).behind == 0, 30)


def test_a_watch_far_behind_leaves_entries_out_and_says_so(writer: Connection, reader: Connection) -> None:
    at, log, story = load_progress(reader), Log(writer), Story()
    list(apply(log, story.messages, 1))
    wait_for_the_end_of_older_transactions(reader, at)
    look = look_at_journal(reader, at, most=3)
    assert (look.skipped, look.behind, at.skipped) == (True, 4, True)
    save_progress(reader, at)
    row = reader.execute("SELECT skipped_at IS NOT NULL, xid_floor FROM watch_progress").fetchone()
    assert row == (True, at.floor)
    wait_until(lambda: look_at_journal(reader, at, most=3).behind == 0, 30)


def test_a_position_of_another_database_is_not_used(reader: Connection) -> None:
    at = load_progress(reader)
    save_progress(reader, Progress(at.floor, "signals", new_id()))
    assert load_progress(reader).table == "signals"
    reader.execute("UPDATE watch_progress SET epoch = 'another'")
    found = load_progress(reader)
    assert (found.table, found.after) == (None, None)
    assert found.floor >= at.floor


def test_the_sweep_reads_every_row_once_and_then_begins_from_the_first(
    writer: Connection, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.watch.sweep._PAGE", 2)
    log = Log(writer)
    for story in (Story(), Story(), Story()):
        list(apply(log, story.messages, 100))
    writer.execute("SET session_replication_role = replica")
    writer.execute("UPDATE customer_entities SET done_count = 9")
    writer.execute("DELETE FROM customer_interactions")
    writer.commit()
    at = load_progress(reader)
    sweep, found = Sweep(reader, at, share=1.0), list[Violation]()
    for _ in range(20):
        found += sweep.run_page()
        if at.table is None:
            break
    kinds = [(it.check, it.subject) for it in found]
    assert kinds == [("A3", "customer")] * 3 + [("A13", "signal")] * 9
    assert len({it.subject_id for it in found}) == 12
    row = reader.execute("SELECT complete_at >= complete_began_at FROM watch_progress").fetchone()
    assert row == (True,)


def test_a_signal_that_waits_too_long_is_seen(writer: Connection, reader: Connection) -> None:
    story = Story()
    story.add("signal.resolve", {"id": story.signals[0], "channel": "email"})
    resolution = story.version
    list(apply(Log(writer), story.messages, 100))
    row = reader.execute("SELECT now(), now() + interval '1 minute'").fetchone()
    assert row is not None
    assert late_signals(reader, row[0].replace(year=2020), 10) == {}
    assert list(late_signals(reader, row[1], 10)) == [(story.signals[0], resolution)]


_STATEMENTS = {
    **{f"check of {check.table}": check.check_sql for check in ROW_CHECKS},
    **{f"page of {check.table}": check.page_sql for check in ROW_CHECKS},
    **{f"presence of a {subject}": text for subject, text in journal_window._PRESENT_SQL.items()},
    "late signals": row_checks._LATE_SQL,
    "count": journal_window._COUNT_SQL,
    "entries": journal_window._ENTRIES_SQL,
    "later entries": journal_window._LATER_SQL,
    "progress": progress._LOAD_SQL,
}


@pytest.mark.parametrize("name", _STATEMENTS)
def test_no_statement_scans_a_table(reader: Connection, name: str) -> None:
    numbers = count(1)
    statement = re.sub("%s", lambda _: f"${next(numbers)}", _STATEMENTS[name])
    lines = reader.execute(f"EXPLAIN (GENERIC_PLAN) {statement}".encode()).fetchall()
    plan = "\n".join(line for (line,) in lines)
    assert "Index" in plan
    assert not re.search("Seq Scan|Hash Join|Merge Join|Materialize", plan), plan


def test_events_are_about_one_customer(writer: Connection, reader: Connection) -> None:
    """Violations carry the scope and customer of their row."""
    story, _ = _story(writer)
    writer.execute("UPDATE customer_entities SET open_count = 7")
    writer.commit()
    (found,) = rows_in_turn(reader)
    made = event("entity.upsert", story.ada, {})
    assert (found.tenant_id, found.organization_id, found.entity_id) == (
        made["tenantid"],
        made["organizationid"],
        story.ada,
    )
    assert found.what == "open_count is not what the interactions give"
