"""The tables of the read model in one DuckDB file, and the offsets up to which they are current."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType

import duckdb

from .records import TABLES, Change, Erasure, Row

#: Topic and partition → offset of the next record.
Positions = Mapping[tuple[str, int], int]

_SCHEMA = Path(__file__).with_name("schema.sql")
#: Rows as one parameter: a list of mappings from column to value. One statement per row takes a hundred times
#: as long.
_ROWS = "unnest(?::STRUCT({})[], recursive := true)"
_SAVE_POSITIONS = "INSERT OR REPLACE INTO positions SELECT " + _ROWS.format(
    "topic VARCHAR, partition INTEGER, next_offset BIGINT"
)
_OF_CUSTOMERS = ("interaction_versions", "next_interaction_versions", "deals")
#: Hazard: a tombstone leaves a compacted topic after ``delete.retention.ms``, 24 hours by default. A
#: bootstrap that resumes later could keep a row whose deletion it can no longer see.
_RESUMABLE = timedelta(hours=12)


class ReadModel:
    """The tables in one file.

    :ivar database: connection for queries.
    """

    def __init__(self, file: str) -> None:
        self.database = _open(file)
        started_at, _, finished = self._bootstrap()
        if not finished and datetime.now(UTC) - started_at > _RESUMABLE:
            self.database.close()
            Path(file).unlink()
            self.database = _open(file)
        self._columns = {table: _columns(self.database, table) for table in TABLES.values()}

    def __enter__(self) -> ReadModel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.database.close()

    @property
    def finished(self) -> bool:
        """Report whether the bootstrap is complete."""
        return self._bootstrap()[2]

    @property
    def newest_state(self) -> datetime | None:
        """Timestamp of the newest applied record of the interactions' state topic."""
        return self._bootstrap()[1]

    def finish(self) -> None:
        """Mark the bootstrap as complete."""
        self.database.execute("UPDATE bootstrap SET finished = true")

    def positions(self, topics: Iterable[str]) -> Positions:
        """Return the stored offsets of topics."""
        found = self.database.execute("FROM positions WHERE list_contains(?, topic)", [list(topics)])
        return {(topic, partition): offset for topic, partition, offset in found.fetchall()}

    def apply(
        self, changes: Iterable[Change | Erasure], positions: Positions, newest_state: datetime | None = None
    ) -> None:
        """Apply changes and store the offsets that follow them, in one transaction."""
        offsets = [
            {"topic": topic, "partition": partition, "next_offset": offset}
            for (topic, partition), offset in positions.items()
        ]
        erased: list[str] = []
        with self._transaction():
            for table, rows in _newest(_without_erasures(changes, erased)).items():
                self._delete(table, [key for key, row in rows.items() if row is None])
                self._upsert(table, [row for row in rows.values() if row is not None])
            # It is the last event of a customer: everything before it in this batch goes, too.
            for table in _OF_CUSTOMERS:
                self._delete(table, erased, "entity_id")
            self._delete("entities", erased)
            self.database.execute(_SAVE_POSITIONS, [offsets])
            if newest_state is not None:
                update = "UPDATE bootstrap SET newest_state = greatest(newest_state, ?)"
                self.database.execute(update, [newest_state])

    def _upsert(self, table: str, rows: list[Row]) -> None:
        """Insert rows. A stored row is replaced only by a greater version."""
        columns = self._columns[table]
        key, *others = columns
        types = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        replaced = ", ".join(f"{name} = excluded.{name}" for name in others)
        if rows:
            self.database.execute(
                f"INSERT INTO {table} SELECT {_ROWS.format(types)}"
                f" ON CONFLICT ({key}) DO UPDATE SET {replaced}"
                f" WHERE excluded.version > {table}.version",
                [[{name: row.get(name) for name in columns} for row in rows]],
            )

    def _delete(self, table: str, keys: list[str], column: str | None = None) -> None:
        """Delete rows by their key, or by another column."""
        key = column or next(iter(self._columns[table]))
        if keys:
            given = "SELECT unnest(?::VARCHAR[])"
            self.database.execute(f"DELETE FROM {table} WHERE {key} IN ({given})", [keys])  # noqa: S608

    def _bootstrap(self) -> tuple[datetime, datetime | None, bool]:
        found = self.database.execute("SELECT started_at, newest_state, finished FROM bootstrap")
        ((started_at, newest_state, finished),) = found.fetchall()
        return started_at, newest_state, finished

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.database.begin()
        try:
            yield
        except BaseException:
            self.database.rollback()
            raise
        self.database.commit()


def _open(file: str) -> duckdb.DuckDBPyConnection:
    database = duckdb.connect(file)
    database.execute("SET TimeZone = 'UTC'")
    database.execute(_SCHEMA.read_text())
    return database


def _columns(database: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Return a table's columns with their types, the key first."""
    found = database.execute(
        "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = ? ORDER BY column_index",
        [table],
    )
    return dict(found.fetchall())


def _without_erasures(changes: Iterable[Change | Erasure], erased: list[str]) -> Iterator[Change]:
    """Yield the changes of rows, and add the erased customers to a list."""
    for change in changes:
        if isinstance(change, Erasure):
            erased.append(change.entity_id)
        else:
            yield change


def _newest(changes: Iterable[Change]) -> dict[str, dict[str, Row | None]]:
    """Keep one version of each row, by table and key: the greatest, or that after the last tombstone."""
    newest: dict[str, dict[str, Row | None]] = {}
    for change in changes:
        rows = newest.setdefault(change.table, {})
        known = rows.get(change.key)
        if change.row is None or known is None or change.row["version"] > known["version"]:
            rows[change.key] = change.row
    return newest
