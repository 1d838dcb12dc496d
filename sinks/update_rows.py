"""Whole rows of one table changed by one statement: an array a column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from runtime.postgres import Connection
from sinks.array_text import ARRAYS
from sinks.column_types import column_type
from sinks.load import Cursor

_FIXED: Final = frozenset({"id", "tenant_id", "organization_id"})


#: An UPDATE on its way, and how many rows it must find.
Written = tuple[Cursor | None, int]


class UpdateRows:
    """UPDATE of one table's rows by their id, inside their tenant and organization.

    :param table: its name.
    :param columns: what the rows hold, ``id``, ``tenant_id`` and ``organization_id`` among them.
    """

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        types = [column_type(name) for name in columns]
        assignments = ", ".join(f"{name} = r.{name}" for name in columns if name not in _FIXED)
        arrays = ", ".join(f"%s::{kind}[]" for kind in types)
        # The text is put together from our own column names only, once, at import.
        # Law 6: a row is only ever found together with its tenant and organization.
        self._statement = (
            f"UPDATE {table} t SET {assignments} FROM unnest({arrays}) AS r ({', '.join(columns)})"  # noqa: S608
            " WHERE t.id = r.id AND t.tenant_id = r.tenant_id AND t.organization_id = r.organization_id"
        )
        self._arrays = tuple(ARRAYS[kind] for kind in types)

    def write(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> Written:
        """Change the rows; nothing is sent when there is none.

        :returns: what `check_all_found` looks at once the answers are there.
        :raises psycopg.Error: the table refuses a row.
        """
        if not rows:
            return None, 0
        columns = [array(values) for array, values in zip(self._arrays, zip(*rows, strict=True), strict=True)]
        return connection.execute(self._statement, columns), len(rows)


def check_all_found(written: Iterable[Written]) -> None:
    """UPDATE never creates, and a row that was locked and read cannot have gone.

    :raises AssertionError: an update has not found all of its rows.
    """
    for cursor, wanted in written:
        if cursor is not None and cursor.rowcount != wanted:
            raise AssertionError(f"{wanted} rows to update, {cursor.rowcount} found")
