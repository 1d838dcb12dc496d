"""Bulk upsert: one statement per table, one array parameter per column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.postgres import Connection
from sinks.array_literals import ARRAYS


class BulkUpsert:
    """INSERT of rows; rows that exist are updated.

    :param table: name of the table.
    :param columns: columns of the rows, in order; ``types``: their Postgres types.
    :param keys: columns of the primary key.
    """

    def __init__(self, table: str, columns: Sequence[str], types: Sequence[str], keys: Sequence[str]) -> None:
        arrays = ", ".join(f"%s::{kind}[]" for kind in types)
        changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
        # Built from our own column names only, once, at import.
        self._statement = (
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays})"  # noqa: S608
            f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {changed}"
        )
        self._arrays = tuple(ARRAYS[kind] for kind in types)

    def write(self, connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert or update the rows, in this order; send nothing without rows.

        :raises psycopg.Error: the table refuses a row; in a pipeline, raised at its end.
        """
        columns = list(zip(*rows, strict=True))
        if columns:
            made = [array(values) for array, values in zip(self._arrays, columns, strict=True)]
            connection.execute(self._statement, made)
