"""Load the read set of a batch under lock into a unit of work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Final

from domain.log_identity import log_identity
from domain.model import Dictionary, TypeEntry
from domain.unit_of_work import UnitOfWork
from runtime.postgres import Connection
from schemas.command import Command, Refused
from schemas.payloads import FLAG_SET, UNDO
from sinks.flags import UNVALIDATED_SQL
from sinks.journal_rows import entry_of
from sinks.next_step_ids import next_step_ids
from sinks.pipelined import pipelined
from sinks.read_set_queries import (
    Cursor,
    ReadSetQueries,
    request_erased,
    request_interactions,
    request_journal,
)
from sinks.records import DEALS, DRAFTS, ENTITIES, ERASED, FLAGS, INTERACTIONS, OUTCOMES, SIGNALS

_FLAGS_SQL: Final = f"""
SELECT {FLAGS.selection("f")} FROM feature_flags f WHERE f.tenant_id = ANY(%b::text[]::uuid[])
"""  # noqa: S608 - our own column names


class Prefetch:
    """Read set of a batch, or a part of it, requested in one round trip together with something else.

    :param whole: everything, for few commands. Without it only the journal: most repeated commands need no
        more.
    """

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self._journal: Cursor | None = None
        self._journal_rows: Sequence[tuple[Any, ...]] | None = None
        self.queries: ReadSetQueries | None = None

    def request(self, connection: Connection, commands: Sequence[Command | Refused]) -> None:
        """Send the queries; inside the batch transaction, after its partition locks."""
        decoded = [command for command in commands if isinstance(command, Command)]
        # Only the journal knows which rows an undo needs.
        known = decoded and not any(command.envelope.type == UNDO for command in decoded)
        with pipelined(connection):
            self._journal = request_journal(connection, commands)
            if self._whole and known:
                self.queries = ReadSetQueries(connection, decoded, {})

    @property
    def journal_rows(self) -> Sequence[tuple[Any, ...]]:
        """Entries as rows; read by the fresh commands and by the repeated ones."""
        if self._journal_rows is None:
            assert self._journal is not None
            self._journal_rows = self._journal.fetchall()
        return self._journal_rows


def load_read_set(
    connection: Connection, commands: Sequence[Command | Refused], prefetch: Prefetch | None = None
) -> UnitOfWork:
    """Lock and load the rows that the rules need to decide the commands, in a fixed number of queries.

    Call it inside the batch transaction, after its partition locks. Entity rows are locked in id order, so
    that two appliers whose partitions share an entity (publishers with different partitioners) wait for
    each other and never deadlock.

    :param prefetch: requested earlier for these commands, perhaps among others.
    """
    work = UnitOfWork()
    _read_journal(
        work, prefetch.journal_rows if prefetch is not None else request_journal(connection, commands)
    )
    fresh = [
        command
        for command in commands
        if isinstance(command, Command) and log_identity(command) not in work.journal
    ]
    if fresh:
        _load_flags(connection, work, fresh)
        queries = prefetch.queries if prefetch is not None else None
        queries = queries or ReadSetQueries(connection, fresh, work.journal)
        _read(work, queries)
        _read_next_steps(connection, work, fresh)
        for row in request_erased(connection, queries.named - work.entities.keys()):
            work.erased.load(ERASED.of(row))
    return work


def _read_journal(work: UnitOfWork, rows: Iterable[tuple[Any, ...]]) -> None:
    for row in rows:
        entry = entry_of(row)
        work.journal[entry.tenant_id, entry.organization_id, entry.command_id] = entry


def _load_flags(connection: Connection, work: UnitOfWork, commands: Iterable[Command]) -> None:
    """Load the flags of tenants whose flags the commands set; no query when there are none."""
    tenants = {command.envelope.tenant_id for command in commands if command.envelope.type == FLAG_SET}
    if tenants:
        for row in connection.execute(_FLAGS_SQL, (sorted(tenants),)):
            work.flags.load(FLAGS.of(row))
        rows = connection.execute(UNVALIDATED_SQL, (sorted(tenants),))
        work.unvalidated.update(tenant for (tenant,) in rows)


def _read_next_steps(connection: Connection, work: UnitOfWork, commands: Sequence[Command]) -> None:
    """Load what already has the ids that next steps may get; no query when none is planned."""
    ids = next_step_ids(work, commands) - work.interactions.keys()
    if ids:
        rows, deleted_versions = request_interactions(connection, ids)
        for row in rows:
            work.interactions.load(INTERACTIONS.of(row))
        for identity, version in deleted_versions:
            if identity not in work.interactions:
                work.deleted_versions[identity] = version


def _read(work: UnitOfWork, queries: ReadSetQueries) -> None:
    for tenant, organization, strict, code, label, icon, color, actionable in queries.dictionaries:
        scope = tenant, organization
        if strict is not None:
            work.scopes.add(scope)
            work.dictionaries.load(Dictionary(*scope, strict))
        if code is not None:
            work.scopes.add(scope)
            work.types.load(TypeEntry(*scope, code, label, icon, color, actionable))
    for row in queries.entities:
        work.entities.load(ENTITIES.of(row))
    of_erased = queries.of_erased
    for row in chain(queries.interactions, queries.candidates, of_erased["interactions"]):
        if row[0] not in work.interactions:
            work.interactions.load(INTERACTIONS.of(row))
    for row in queries.deleted_versions:
        if row[0] not in work.interactions:
            work.deleted_versions[row[0]] = row[1]
    for row in chain(queries.deals, of_erased["deals"]):
        work.deals.load(DEALS.of(row))
    for row in chain(queries.signals, of_erased["signals"]):
        work.signals.load(SIGNALS.of(row))
    for row in chain(queries.drafts, of_erased["drafts"]):
        work.drafts.load(DRAFTS.of(row))
    for row in chain(queries.outcomes, of_erased["outcomes"]):
        work.outcomes.load(OUTCOMES.of(row))
    work.recounts.update(dict.fromkeys(queries.recounted, (0, 0, 0)))
    for row in queries.counts:
        work.recounts[row[0]] = (row[1], row[2], row[3])
