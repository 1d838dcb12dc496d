# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the watch, and of what it is there to notice: "saved" without a row."""

from __future__ import annotations

from typing import Any

from tests.faults.mutants.catalogue import mutant

_ROWS = "test:tests/integration/test_watch_rows.py"
_FINDINGS = "test:tests/integration/test_watch_findings.py"


@mutant(
    "a new interaction is journaled, reported as saved, and not stored",
    f"{_ROWS}::test_a_history_with_deletions_and_undo_breaks_nothing",
)
def saved_without_a_row() -> None:
    from sinks.records import INTERACTIONS, StoredRecord

    real = StoredRecord.insert_new

    def insert_new(self: Any, *arguments: Any) -> None:
        if self is not INTERACTIONS:
            real(self, *arguments)

    StoredRecord.insert_new = insert_new


@mutant(
    "the watch takes a row that a later command removed for lost",
    f"{_ROWS}::test_signals_and_undo_break_nothing",
)
def removals_unseen() -> None:
    from streams.watch import saved_rows

    real = saved_rows._mentioned

    def mentioned(entry: Any) -> Any:
        return [(key, saved) for key, saved in real(entry) if saved]

    saved_rows._mentioned = mentioned


@mutant(
    "the watch ignores a removal by a transaction that began before its floor",
    f"{_ROWS}::test_a_removal_by_a_transaction_from_before_the_floor_explains_a_missing_row",
)
def late_removals_unseen() -> None:
    from sinks.integrity.journal_window import JournalWindow

    JournalWindow.later_entries = lambda *_: iter(())


@mutant(
    "the watch marks a violation as published before it is",
    f"{_FINDINGS}::test_a_violation_is_stored_before_it_is_published",
)
def published_before_it_is_sent() -> None:
    from streams.watch import findings

    real = findings.open_violations

    def open_violations(connection: Any, found: Any) -> None:
        real(connection, found)
        for held in findings.held_violations(connection):
            findings.note_published(connection, held)

    findings.open_violations = open_violations


@mutant(
    "the sweep skips the last page of each table",
    f"{_ROWS}::test_the_sweep_reads_every_row_once_and_then_begins_from_the_first",
)
def last_page_skipped() -> None:
    from streams.watch import sweep

    real = sweep.next_page

    def next_page(connection: Any, check: Any, after: Any, size: int) -> Any:
        found = real(connection, check, after, size)
        return found if len(found) == size else []

    sweep.next_page = next_page
