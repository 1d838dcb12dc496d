"""Store the changes of a folded batch: one fixed statement per kind of change, COPY for new rows."""

from __future__ import annotations

from collections.abc import Sequence

from domain.decision import Decision
from domain.unit_of_work import UnitOfWork
from runtime.postgres import Connection
from sinks.bulk_insert import BulkInsert
from sinks.erasure.job import enqueue_erasure
from sinks.journal_rows import NEW_ENTRIES, journal_row
from sinks.pipelined import pipelined
from sinks.records import RECORDS
from sinks.relabel import with_relabeled


def store(connection: Connection, work: UnitOfWork, decisions: Sequence[Decision]) -> None:
    """Write the fold's result, inside the batch transaction (atomicity invariant).

    New rows are copied; an open pipeline cannot carry a COPY, so there they are inserted, which suits few.

    Hazard: the order matters. Rows come before those that refer to them, and are deleted after them. The
    journal comes last, so that its positions are drawn after every row lock is held (order of events per
    entity).
    """
    add = BulkInsert.insert if connection.info.pipeline_status else BulkInsert.copy
    changes = [(RECORDS[kind], records.changes()) for kind, records in work.sets.items()]
    for record, changed in changes:
        record.insert_new(add, connection, changed)
    with pipelined(connection):
        for record, changed in changes:
            record.change(connection, changed)
        for record, changed in reversed(changes):
            record.delete(connection, changed)
        for erased in work.erased.changes().inserted:
            enqueue_erasure(connection, erased)
        if work.signals.has_changes() or work.drafts.has_changes():
            # Here rather than at the commit, so that a violation is that of the command that caused it.
            connection.execute("SET CONSTRAINTS fk_signals_draft IMMEDIATE")
            connection.execute("SET CONSTRAINTS fk_signals_draft DEFERRED")
    entries = [with_relabeled(connection, decision) for decision in decisions if decision.logged]
    # Lazily: rows are built while the server receives the ones before.
    add(NEW_ENTRIES, connection, map(journal_row, entries))
