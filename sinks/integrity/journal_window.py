"""New entries of the journal together with the rows that they left, in one snapshot.

An entry commits with its rows, so in a snapshot that shows the entry, the row shows too, unless a later
entry removed it. Every visible entry from the floor on is read, also those that a relay may not publish yet.
The next floor is the oldest transaction that may still be running; entries behind it are read once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

from domain.journal import JournalEntry
from runtime.postgres import Connection
from sinks.journal_reader import snapshot_xmin
from sinks.journal_rows import ENTRY, entry_of

_SNAPSHOT_SQL: Final = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_COUNT_SQL: Final = """
SELECT count(*) FROM (SELECT FROM journal WHERE events > 0 AND xid >= %s LIMIT %s) j
"""
_ENTRIES_SQL: Final = f"""
SELECT j.position, {ENTRY} FROM journal j
WHERE j.events > 0 AND j.xid >= %s AND j.outcome = 'applied'
"""  # noqa: S608 - our own column names
_LATER_SQL: Final = f"""
SELECT j.position, {ENTRY} FROM journal j
WHERE j.events > 0 AND j.xid >= 0 AND j.position > %s AND j.outcome = 'applied'
  AND j.entity_id = ANY(%s::uuid[])
"""  # noqa: S608 - our own column names
_PRESENT_SQL: Final = {
    subject: f"SELECT id::text FROM {table} WHERE id = ANY(%s::uuid[])"  # noqa: S608 - our own names
    for subject, table in {
        "customer": "customer_entities",
        "interaction": "customer_interactions",
        "signal": "signals",
        "draft": "generated_drafts",
    }.items()
}
_ROWS: Final = 1000


class JournalWindow:
    """Entries from a floor on, and rows, as one snapshot shows them.

    :ivar ceiling: the next floor.
    :ivar unreadable: positions of entries that were skipped, because their facts cannot be read.
    """

    def __init__(self, connection: Connection, floor: int) -> None:
        self._connection = connection
        self._floor = floor
        self.unreadable: list[int] = []
        self.ceiling = snapshot_xmin(connection)

    def count(self, most: int) -> int:
        """Count the entries that are not read yet, up to ``most``."""
        row = self._connection.execute(_COUNT_SQL, (self._floor, most)).fetchone()
        assert row is not None
        return int(row[0])

    def entries(self) -> Iterator[tuple[int, JournalEntry]]:
        """Yield the applied entries from the floor on with their positions, in no order."""
        return self._read(_ENTRIES_SQL, (self._floor,))

    def later_entries(self, position: int, customers: Collection[str]) -> Iterator[tuple[int, JournalEntry]]:
        """Yield all applied entries of some customers after a position, wherever their transactions began.

        It looks through the index of the whole journal: for rows that seem to be missing.
        """
        return self._read(_LATER_SQL, (position, list(customers)))

    def missing(self, subject: str, ids: Collection[str]) -> set[str]:
        """Return the ids that have no row."""
        return missing_rows(self._connection, subject, ids)

    def _read(self, statement: str, values: tuple[Any, ...]) -> Iterator[tuple[int, JournalEntry]]:
        with self._connection.cursor("watched_entries") as cursor:
            cursor.itersize = _ROWS
            cursor.execute(statement, values)
            for row in cursor:
                try:
                    entry = entry_of(row[1:])
                except Exception:  # noqa: BLE001 - one entry must not stop the watch
                    self.unreadable.append(row[0])
                else:
                    yield row[0], entry


@contextmanager
def open_window(connection: Connection, floor: int) -> Iterator[JournalWindow]:
    """Open a snapshot for the length of a block.

    :param connection: in autocommit mode.
    """
    with connection.transaction():
        connection.execute(_SNAPSHOT_SQL)
        yield JournalWindow(connection, floor)


def missing_rows(connection: Connection, subject: str, ids: Collection[str]) -> set[str]:
    """Return the ids that have no row in the table of ``subject``."""
    present = connection.execute(_PRESENT_SQL[subject], (list(ids),))
    return set(ids) - {row[0] for row in present}
