"""Write rows into the frozen legacy tables, one transaction per chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from runtime.postgres import Connection
from sinks.backfill import mark_changed
from sinks.bulk_insert import BulkInsert
from sinks.legacy_import.staging import remove_repeated, remove_staged
from sinks.legacy_import.targets import Target
from sinks.legacy_tables import lift_freeze

REPEATED: Final = "repeated_id"
#: A conflict that an operator must look at, unlike the other reasons.
OTHER_TENANT: Final = "id_of_other_tenant"


@dataclass(frozen=True, slots=True)
class ChunkCounts:
    """Outcome of one chunk; every row is counted once.

    :param written: rows that were added or changed.
    :param left_out: reason → positions of the rows that were not written for it.
    """

    written: int
    unchanged: int
    left_out: dict[str, list[int]] = field(default_factory=dict)


class LegacyWriter:
    """Upserts rows of one legacy table. Repeating a chunk changes nothing.

    :param connection: in autocommit mode, with the temporary tables of ``staging.create_staging``.
    :param dry_run: count, and write nothing.
    """

    def __init__(self, connection: Connection, target: Target, *, dry_run: bool) -> None:
        self._connection = connection
        self._target = target
        self._dry_run = dry_run
        # All values are text; Postgres converts them to the types of the columns.
        names = (*target.columns, "n")
        self._copy = BulkInsert(target.staged, names, ["text"] * len(names))
        mine = ", ".join(f"t.{name}" for name in target.columns)
        given = ", ".join(f"{{0}}.{name}" for name in target.columns)
        keys = ", ".join(target.keys)
        changes = ", ".join(f"{name} = excluded.{name}" for name in target.columns if name not in target.keys)
        self._upsert = f"""
        WITH changed AS (
          INSERT INTO {target.table} AS t ({", ".join(target.columns)})
          SELECT {given.format("s")} FROM {target.staged} s
          ON CONFLICT ({keys}) DO UPDATE SET {changes}
            WHERE ({mine}) IS DISTINCT FROM ({given.format("excluded")})
          RETURNING t.tenant_id)
        SELECT tenant_id::text, count(*) FROM changed GROUP BY 1
        """.encode()  # noqa: S608 - constant names
        self._differing = f"""
        SELECT s.tenant_id::text, count(*) FROM {target.staged} s LEFT JOIN {target.table} t USING ({keys})
        WHERE ({mine}) IS DISTINCT FROM ({given.format("s")}) GROUP BY 1
        """.encode()  # noqa: S608 - constant names

    def write(self, rows: Sequence[Mapping[str, str | None]]) -> ChunkCounts:
        """Write a chunk in one transaction, and note for each tenant that its move changed.

        :raises psycopg.Error: the database refuses it; nothing of the chunk is written.
        """
        if not rows:
            return ChunkCounts(0, 0)
        connection, target = self._connection, self._target
        left_out: dict[str, list[int]] = {}
        with connection.transaction():
            if not self._dry_run:
                lift_freeze(connection)
            self._copy.copy(
                connection,
                ((*(row[name] for name in target.columns), str(n)) for n, row in enumerate(rows)),
            )
            for reason in target.removals:
                left_out[reason] = remove_staged(connection, target, reason)
            left_out[REPEATED] = remove_repeated(connection, target)
            found = connection.execute(self._differing if self._dry_run else self._upsert)
            tenants: dict[str, int] = dict(found.fetchall())
            if tenants and not self._dry_run:
                mark_changed(connection, tenants)
        written = sum(tenants.values())
        unchanged = len(rows) - written - sum(map(len, left_out.values()))
        return ChunkCounts(written, unchanged, left_out)
