"""New rows of one table: as COPY text, made column by column (PostgreSQL documentation, COPY, "Text Format"),
or, a few of them, as one INSERT that a pipeline can hold.

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
from sinks.column_types import column_type

#: The server takes in one part while the next one is made.
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


# Hazard: whatever a column is called, its text is escaped. A delimiter that came through would shift columns
# or end the row, and Postgres would refuse, or misread, its whole part.
_WRITERS: Final[dict[str, Callable[[Any], Texts]]] = {
    "uuid": _texts,
    "integer": _numbers,
    "bigint": _numbers,
    "smallint": _numbers,
    "timestamptz": _instants,
    "text": _texts,
    "json": _texts,
    "bytea": _bytes,
}


class BulkInsert:
    """Rows to add to one table.

    :param table: its name.
    :param columns: the columns that the rows give, in their order.
    """

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        types = [column_type(name) for name in columns]
        names = ", ".join(f'"{name}"' for name in columns)
        arrays = ", ".join(f"%s::{kind}[]" for kind in types)
        # The texts are put together from our own column names only, once, at import.
        self._copy = f"COPY {table} ({names}) FROM STDIN"
        self._insert = f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608
        self._writers = tuple(_WRITERS[kind] for kind in types)
        self._arrays = tuple(ARRAYS[kind] for kind in types)

    def insert(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add a few rows; nothing is sent when there is none. In a pipeline errors come at its end.

        :raises psycopg.Error: the table refuses a row.
        """
        columns = list(zip(*rows, strict=True))
        if columns:
            made = [array(values) for array, values in zip(self._arrays, columns, strict=True)]
            connection.execute(self._insert, made)

    def copy(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add the rows; nothing is sent when there is none. A pipeline cannot hold it.

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

    def text(self, rows: Sequence[tuple[Any, ...]]) -> bytes:
        """The rows as lines of COPY text."""
        columns = [
            write(values) for write, values in zip(self._writers, zip(*rows, strict=True), strict=True)
        ]
        lines = map("\t".join, zip(*columns, strict=True))
        return ("\n".join(lines) + "\n").encode()
