"""Whole rows of one table changed by one statement: an array a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from runtime.postgres import Connection
from sinks.array_literals import ARRAYS
from sinks.column_types import column_type

_FIXED: Final = frozenset({"id", "tenant_id", "organization_id"})


class BulkUpdate:
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
        # UPDATE never creates, and a row that was locked and read cannot have gone: the server refuses
        # (a text that is no number) when one was not found, so that nobody waits for its count.
        self._statement = (
            f"WITH changed AS (UPDATE {table} t SET {assignments}"  # noqa: S608
            f" FROM unnest({arrays}) AS r ({', '.join(columns)})"
            " WHERE t.id = r.id AND t.tenant_id = r.tenant_id AND t.organization_id = r.organization_id"
            " RETURNING 1) SELECT CASE WHEN count(*) <> %s::bigint"
            f" THEN ('an update of {table} has found ' || count(*) || ' rows')::int END FROM changed"
        )
        self._arrays = tuple(ARRAYS[kind] for kind in types)

    def write(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Change the rows; nothing is sent when there is none. In a pipeline errors come at its end.

        :raises psycopg.Error: the table refuses a row, or one was not found.
        """
        if not rows:
            return
        columns = [array(values) for array, values in zip(self._arrays, zip(*rows, strict=True), strict=True)]
        connection.execute(self._statement, (*columns, len(rows)))
