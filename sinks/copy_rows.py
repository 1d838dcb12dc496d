"""Rows of one table as COPY text, made column by column (PostgreSQL documentation, COPY, "Text Format").

psycopg adapts value by value, which costs more than all the rules of a command together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final

from schemas.instants import format_instant
from sinks.column_types import column_type
from sinks.load import Connection

#: The server takes in one part while the next one is made.
_PART: Final = 250
_NULL: Final = "\\N"

Texts = Sequence[str]


def _plain(values: Sequence[str | None]) -> Texts:
    return [_NULL if value is None else value for value in values]


def _numbers(values: Sequence[int | None]) -> Texts:
    return [_NULL if value is None else str(value) for value in values]


def _instants(values: Sequence[datetime | None]) -> Texts:
    return [_NULL if value is None else format_instant(value) for value in values]


def _texts(values: Sequence[str | None]) -> Texts:
    return [_NULL if value is None else _escaped(value) for value in values]


def _documents(values: Sequence[str | None]) -> Texts:
    # JSON as orjson writes it holds no raw control characters.
    return [_NULL if value is None else value.replace("\\", "\\\\") for value in values]


def _bytes(values: Sequence[bytes | None]) -> Texts:
    return [_NULL if value is None else "\\\\x" + value.hex() for value in values]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


_WRITERS: Final[dict[str, Callable[[Any], Texts]]] = {
    "uuid": _plain,
    "integer": _numbers,
    "bigint": _numbers,
    "smallint": _numbers,
    "timestamptz": _instants,
    "text": _texts,
    "json": _documents,
    "bytea": _bytes,
}


class CopyRows:
    """COPY into one table.

    :param table: its name.
    :param columns: the columns that the rows give, in their order.
    """

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        names = ", ".join(f'"{name}"' for name in columns)
        self._statement = f"COPY {table} ({names}) FROM STDIN"
        self._writers = tuple(_WRITERS[column_type(name)] for name in columns)

    def write(self, connection: Connection, rows: Iterable[tuple[Any, ...]]) -> None:
        """Add the rows; nothing is sent when there is none.

        :raises psycopg.Error: the table refuses a row.
        """
        iterator = iter(rows)
        part = list(islice(iterator, _PART))
        if not part:
            return
        with connection.cursor() as cursor, cursor.copy(self._statement) as copy:
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
