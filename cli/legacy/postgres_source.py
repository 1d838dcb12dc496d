"""An Open Mercato database as a source."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from cli.legacy.ciphertext import CIPHERTEXT, CIPHERTEXT_TAIL
from cli.legacy.decoding import decode
from cli.legacy.source import REQUIRED, BrokenRow, SourceRow
from sinks.legacy_import.open_mercato import OpenMercato


class PostgresSource:
    """The tables of a database, read in one transaction.

    :raises Stop: the database is one of this product.
    """

    ignored: tuple[str, ...] = ()

    def __init__(self, database: OpenMercato) -> None:
        self._database = database
        self.name = database.name
        database.check_foreign()

    @cached_property
    def tables(self) -> dict[str, tuple[str, ...]]:
        """Columns of each table that is there."""
        found = {table: tuple(self._database.columns(table)) for table in REQUIRED}
        return {table: columns for table, columns in found.items() if columns}

    def rows(self, table: str) -> Iterator[SourceRow | BrokenRow]:
        """All rows of a table. The place of a row is its table and id."""
        for number, row in enumerate(self._database.rows(table), 1):
            place = f"{table} {row.get('id') or f'row {number}'}"
            if any(isinstance(value, bytes) for value in row.values()):
                yield _decoded(row, place)
            else:
                yield SourceRow(row, place)

    def find_ciphertext(self) -> str | None:
        """Name the first column and row with an encrypted value, and what the source says it encrypts."""
        for table in (*self.tables, "custom_field_values"):
            found = self._database.find_text(table, CIPHERTEXT, CIPHERTEXT_TAIL)
            if found is not None:
                column, identity = found
                entities = ", ".join(self._database.encrypted_entities())
                maps = f"; active encryption maps: {entities}" if entities else ""
                return f"{table}.{column} (row {identity}{maps})"
        return None


def _decoded(row: dict[str, Any], place: str) -> SourceRow:
    """A row of a server that has no encoding."""
    values, repaired = {}, False
    for name, value in row.items():
        if isinstance(value, bytes):
            values[name], wrong = decode(value)
            repaired |= wrong
        else:
            values[name] = value
    return SourceRow(values, place, repaired)
