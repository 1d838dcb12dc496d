"""Import customers, interaction types and deals, by commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cli.legacy import customer_commands
from cli.legacy.chunks import ChunkReader, repairs
from cli.legacy.publish_rows import Placed, RowPublisher
from cli.legacy.report import TableReport
from cli.legacy.source import SourceRow
from cli.legacy.values import BrokenId, Values
from runtime.postgres import Connection
from sinks.legacy_import import references
from sinks.legacy_import.writer import REPEATED

_CHUNK: Final = 500


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A row that may become a command.

    :param key: the row's identity within its table.
    """

    key: str
    row: SourceRow
    values: Values
    notes: list[str]
    command: dict[str, Any]


class CustomerRows:
    """Imports what the legacy rows refer to.

    :param connection: with the temporary tables of ``staging.create_staging``.
    """

    def __init__(self, reader: ChunkReader, connection: Connection, publisher: RowPublisher) -> None:
        self._reader = reader
        self._connection = connection
        self._publisher = publisher

    def run(self) -> None:
        """Import the customers, then the types, then the deals of the customers that are known then."""
        self._publish("customer_entities", self._customers)
        self._publish("customer_dictionary_entries", self._types)
        self._note_deals("customer_deal_people", "person_entity_id", company=False)
        self._note_deals("customer_deal_companies", "company_entity_id", company=True)
        self._publish("customer_deals", self._deals)

    def _publish(self, name: str, commands: Callable[[TableReport], Iterator[Placed]]) -> None:
        """Publish the commands of a table; in a dry run, count them only."""
        table = self._reader.report.tables[name]
        if not table.there:
            return
        if self._reader.options.dry_run:
            table.written += sum(1 for _ in commands(table))
        else:
            self._publisher.run(commands(table), table, lambda: self._reader.progress(name))

    def _customers(self, table: TableReport) -> Iterator[Placed]:
        def make(values: Values, notes: list[str]) -> tuple[str, dict[str, Any]]:
            return values.identity("id"), customer_commands.customer(values, notes)

        for found, deleted in self._candidates("customer_entities", table, make):
            references.note_deleted_customers(self._connection, deleted)
            erased = references.erased_customers(self._connection, [it.key for it in found])
            kept = [it for it in found if it.key not in erased]
            if len(kept) < len(found):
                table.skipped["customer_erased"] += len(found) - len(kept)
            yield from self._first_only("read_customer", kept, table)

    def _types(self, table: TableReport) -> Iterator[Placed]:
        def make(values: Values, notes: list[str]) -> tuple[str, dict[str, Any]] | str:
            if (values.text("kind") or "").strip() not in customer_commands.TYPE_DICTIONARIES:
                return "other_dictionary"
            command = customer_commands.interaction_type(values, notes)
            return (customer_commands.type_key(command), command) if command else "no_code"

        for found, _ in self._candidates("customer_dictionary_entries", table, make):
            yield from self._first_only("read_type", found, table)

    def _note_deals(self, name: str, column: str, *, company: bool) -> None:
        """Note the customers of deals. The rows are needed for ``customer_deals`` only."""
        table = self._reader.report.tables[name]
        for chunk in self._reader.chunks(name, self._reader.options.chunk_rows):
            pairs = []
            for row in chunk:
                values = Values(row.values, repairs(row))
                try:
                    pairs.append((values.identity("deal_id"), values.identity(column)))
                except BrokenId as error:
                    self._reader.reject(table, row.place, str(error))
                    continue
                table.read += 1
            references.note_deal_customers(self._connection, pairs, company=company)
            table.unchanged += len(pairs)

    def _deals(self, table: TableReport) -> Iterator[Placed]:
        def make(values: Values, _: list[str]) -> tuple[str, dict[str, Any]]:
            values.identity("tenant_id")
            values.identity("organization_id")
            return values.identity("id"), {}

        for found, _ in self._candidates("customer_deals", table, make):
            named = [(it.key, entity) for it in found if (entity := it.values.reference("entity_id"))]
            references.note_deal_customers(self._connection, named, company=True)
            customers = references.deal_customers(self._connection, [it.key for it in found])
            kept = []
            for it in found:
                if it.key not in customers:
                    table.skipped["no_customer"] += 1
                    continue
                entity_id, further = customers[it.key]
                it.notes.extend(["further_customers_dropped"] * further)
                it.command.update(customer_commands.deal(it.values, entity_id, it.notes))
                kept.append(it)
            yield from self._first_only("read_deal", kept, table)

    def _candidates(
        self,
        name: str,
        table: TableReport,
        make: Callable[[Values, list[str]], tuple[str, dict[str, Any]] | str],
    ) -> Iterator[tuple[list[_Candidate], list[str]]]:
        """Rows of a table in chunks, and the ids of its deleted rows.

        :param make: returns key and command of a row, or the reason to leave it out.
        """
        for chunk in self._reader.chunks(name, _CHUNK):
            found, deleted = [], []
            for row in chunk:
                notes = repairs(row)
                values = Values(row.values, notes)
                try:
                    made = make(values, notes)
                except BrokenId as error:
                    self._reader.reject(table, row.place, str(error))
                    continue
                table.read += 1
                if isinstance(made, str):
                    table.skipped[made] += 1
                elif row.values.get("deleted_at") is not None:
                    table.skipped["deleted"] += 1
                    deleted.append(made[0])
                else:
                    found.append(_Candidate(made[0], row, values, notes, made[1]))
            yield found, deleted

    def _first_only(self, what: str, found: list[_Candidate], table: TableReport) -> Iterator[Placed]:
        """Commands of the rows whose key this run has not read before."""
        fresh = references.first_seen(self._connection, what, [it.key for it in found])
        for it in found:
            if it.key in fresh:
                fresh.discard(it.key)
                table.notes.update(it.notes)
                yield it.command, it.row.place
            else:
                table.skipped[REPEATED] += 1
