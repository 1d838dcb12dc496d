"""Bulk insert: COPY text built column by column (PostgreSQL documentation, COPY, "Text Format"), or, for few
rows, one INSERT that a pipeline can carry.

psycopg adapts value by value, which costs more than all the rules of a command together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from runtime.postgres import Connection
from schemas.instants import format_instant
from sinks.array_literals import ARRAYS, holds_any

#: Rows per part: the server receives one part while the next is built.
_PART: Final = 250
_NULL: Final = "\\N"

Texts = Sequence[str]


def _numbers(values: Sequence[int | None]) -> Texts:
    return [_NULL if value is None else str(value) for value in values]


def _instants(values: Sequence[datetime | None]) -> Texts:
    return [_NULL if value is None else format_instant(value) for value in values]


def _texts(values: Sequence[str | None]) -> Texts:
    if holds_any(values, "\\\t\n\r"):
        return [_NULL if value is None else _escaped(value) for value in values]
    return [_NULL if value is None else value for value in values]


def _bytes(values: Sequence[bytes | None]) -> Texts:
    return [_NULL if value is None else "\\\\x" + value.hex() for value in values]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


# Hazard: text is escaped whatever the column. An unescaped delimiter would shift columns or end the row, and
# Postgres would refuse or misread the whole part.
_WRITERS: Final[dict[str, Callable[[Any], Texts]]] = {
    "uuid": _texts,
    "integer": _numbers,
    "bigint": _numbers,
    "smallint": _numbers,
    "boolean": _numbers,
    "timestamptz": _instants,
    "text": _texts,
    "json": _texts,
    "bytea": _bytes,
}


class BulkInsert:
    """INSERT and COPY of rows into one table.

    :param table: name of the table.
    :param columns: columns of the rows, in order; ``types``: their Postgres types.
    :param keys: columns of the primary key, for an INSERT that updates the rows that exist.
    """

    def __init__(
        self, table: str, columns: Sequence[str], types: Sequence[str], *, keys: Sequence[str] = ()
    ) -> None:
        self.table = table
        names = ", ".join(f'"{name}"' for name in columns)
        arrays = ", ".join(f"%s::{kind}[]" for kind in types)
        # Built from our own column names only, once, at import.
        self._copy = f"COPY {table} ({names}) FROM STDIN"
        self._insert = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608
        if keys:
            changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
            self._insert += f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"
        self._writers = tuple(_WRITERS[kind] for kind in types)
        self._arrays = tuple(ARRAYS[kind] for kind in types)

    def insert(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert a few rows; send nothing without rows. In a pipeline, errors are raised at its end.

        :raises psycopg.Error: the table refuses a row.
        """
        columns = list(zip(*rows, strict=True))
        if columns:
            made = [array(values) for array, values in zip(self._arrays, columns, strict=True)]
            connection.execute(self._insert, made)

    def copy(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert the rows with COPY; send nothing without rows. Not possible in a pipeline.

        :raises psycopg.Error: the table refuses a row.
        """
        iterator = iter(rows)
        part = list(islice(iterator, _PART))
        if not part:
            return
        with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            while part:
                copy.write(self.text(part))
                part = list(islice(iterator, _PART))

    def copy_text(self, connection: Connection, text: bytes) -> None:
        """Insert rows with COPY that are encoded already (see :meth:`text`)."""
        with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.write(text)

    def text(self, rows: Sequence[tuple[Any, ...]]) -> bytes:
        """Encode the rows as lines of COPY text."""
        columns = [
            write(values) for write, values in zip(self._writers, zip(*rows, strict=True), strict=True)
        ]
        lines = map("\t".join, zip(*columns, strict=True))
        return ("\n".join(lines) + "\n").encode()
