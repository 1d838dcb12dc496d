"""Bulk UPDATE: one statement per table, one array parameter per column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from runtime.postgres import Connection
from sinks.array_literals import ARRAYS

_FIXED: Final = frozenset({"id", "tenant_id", "organization_id"})


class BulkUpdate:
    """UPDATE of rows by their id, within their tenant and organization.

    :param table: name of the table.
    :param columns: columns of the rows, including ``id``, ``tenant_id`` and ``organization_id``; ``types``:
        their Postgres types.
    """

    def __init__(self, table: str, columns: Sequence[str], types: Sequence[str]) -> None:
        assignments = ", ".join(f"{name} = r.{name}" for name in columns if name not in _FIXED)
        arrays = ", ".join(f"%s::{kind}[]" for kind in types)
        # Built from our own column names only, once, at import.
        # Tenant-isolation invariant: a row is matched by its tenant and organization too.
        # A row that was locked and read cannot be missing. If one is, the server raises an error (a cast of
        # text to int), so that the client need not wait for a row count.
        self._statement = (
            f"WITH changed AS (UPDATE {table} t SET {assignments}"  # noqa: S608
            f" FROM unnest({arrays}) AS r ({', '.join(columns)})"
            " WHERE t.id = r.id AND t.tenant_id = r.tenant_id AND t.organization_id = r.organization_id"
            " RETURNING 1) SELECT CASE WHEN count(*) <> %s::bigint"
            f" THEN ('an update of {table} has found ' || count(*) || ' rows')::int END FROM changed"
        )
        self._arrays = tuple(ARRAYS[kind] for kind in types)

    def write(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Update the rows; send nothing without rows. In a pipeline, errors are raised at its end.

        :raises psycopg.Error: the table refuses a row, or a row is missing.
        """
        if not rows:
            return
        columns = [array(values) for array, values in zip(self._arrays, zip(*rows, strict=True), strict=True)]
        connection.execute(self._statement, (*columns, len(rows)))
