"""The import: customers, types and deals, then the rows of the legacy tables, chunk by chunk."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from cli.interrupts import interrupts_held
from cli.legacy import legacy_tables
from cli.legacy.chunks import ChunkReader, repairs
from cli.legacy.customer_rows import CustomerRows
from cli.legacy.legacy_interactions import make_interaction
from cli.legacy.legacy_tables import Convert, LegacyRow
from cli.legacy.publish_rows import RowPublisher
from cli.legacy.source import SourceRow
from cli.legacy.values import BrokenId, Values
from runtime.postgres import Connection
from runtime.settings import Settings
from sinks.legacy_import import references
from sinks.legacy_import.targets import TARGETS
from sinks.legacy_import.withdrawal import StaysOut, withdraw
from sinks.legacy_import.writer import OTHER_TENANT, ChunkCounts, LegacyWriter


@dataclass(slots=True)
class _Chunk:
    """Converted rows of one transaction.

    :param withheld: id, customer and reason of interactions that stay out.
    """

    rows: list[LegacyRow] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    notes: list[list[str]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    withheld: list[tuple[str, str, str]] = field(default_factory=list)
    stays_out: list[StaysOut] = field(default_factory=list)


class Importer:
    """Imports one source. A run that was cut off is repeated from the start; what is there stays unchanged.

    :param connection: in autocommit mode, with the temporary tables of ``staging.create_staging``.
    """

    def __init__(self, settings: Settings, connection: Connection, reader: ChunkReader) -> None:
        self._settings = settings
        self._connection = connection
        self._reader = reader

    def run(self) -> None:
        """Import every table that is there.

        :raises Retry: Kafka or Postgres is unavailable. What was written stays; repeating the import is safe.
        """
        options = self._reader.options
        publisher = RowPublisher(self._settings, self._reader.report, options.timeout)
        CustomerRows(self._reader, self._connection, publisher).run()
        # Interactions first: an activity or a link whose interaction stays out stays out, too.
        interaction = make_interaction(include_private=options.include_private)
        self._copy("customer_interactions", interaction)
        self._copy("customer_activities", legacy_tables.activity)
        self._copy("customer_todo_links", legacy_tables.todo_link)
        self._copy("todos", legacy_tables.todo)
        self._copy("sync_external_id_mappings", legacy_tables.external_link)

    def _copy(self, name: str, convert: Convert) -> None:
        """Copy a table into its legacy table."""
        writer = LegacyWriter(self._connection, TARGETS[name], dry_run=self._reader.options.dry_run)
        for rows in self._reader.chunks(name, self._reader.options.chunk_rows):
            with interrupts_held():
                chunk = self._converted(name, rows, convert)
                references.note_withheld(self._connection, chunk.withheld)
                if chunk.stays_out and not self._reader.options.dry_run:
                    removed, moved = withdraw(self._connection, chunk.stays_out)
                    table = self._reader.report.tables[name]
                    table.withdrawn += removed
                    table.moved += moved
                self._count(name, chunk, writer.write(chunk.rows))

    def _converted(self, name: str, rows: list[SourceRow], convert: Convert) -> _Chunk:
        chunk = _Chunk()
        for row in rows:
            notes = repairs(row)
            values = Values(row.values, notes)
            try:
                converted = convert(values, row.values, notes)
            except BrokenId as error:
                self._reader.reject(self._reader.report.tables[name], row.place, str(error))
                continue
            if not isinstance(converted, str):
                chunk.rows.append(converted)
                chunk.places.append(row.place)
                chunk.notes.append(notes)
                continue
            chunk.skipped[converted] += 1
            if name == "customer_interactions":
                identity, entity = values.identity("id"), values.identity("entity_id")
                chunk.withheld.append((identity, entity, converted))
                scope = values.identity("tenant_id"), values.identity("organization_id")
                chunk.stays_out.append(StaysOut(identity, entity, *scope))
        return chunk

    def _count(self, name: str, chunk: _Chunk, counts: ChunkCounts) -> None:
        table = self._reader.report.tables[name]
        table.read += len(chunk.rows) + chunk.skipped.total()
        table.written += counts.written
        table.unchanged += counts.unchanged
        left_out = dict(counts.left_out)
        conflicts = left_out.pop(OTHER_TENANT, [])
        table.broken += len(conflicts)
        for position in sorted(conflicts):
            self._reader.report.add_fault(chunk.places[position], OTHER_TENANT)
        table.skipped += chunk.skipped + Counter({why: len(them) for why, them in left_out.items()})
        absent = {*conflicts, *(position for them in left_out.values() for position in them)}
        for position, notes in enumerate(chunk.notes):
            if notes and position not in absent:
                table.notes.update(notes)
