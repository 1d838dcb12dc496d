"""Progress of the watch: its position in the journal, and that of its sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runtime.postgres import Connection
from sinks.journal_reader import cluster_epoch, snapshot_xmin

_NAME: Final = "watch"
_LOAD_SQL: Final = """
SELECT epoch, xid_floor, sweep_table, sweep_after::text FROM watch_progress WHERE name = %s
"""
_BEGIN_SQL: Final = """
INSERT INTO watch_progress (name, epoch, xid_floor) VALUES (%s, %s, %s)
ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, xid_floor = excluded.xid_floor, sweep_table = NULL,
  sweep_after = NULL, sweep_began_at = now(), complete_began_at = NULL, complete_at = NULL, updated_at = now()
"""
_SAVE_SQL: Final = """
UPDATE watch_progress SET xid_floor = %s, sweep_table = %s, sweep_after = %s, updated_at = now(),
  skipped_at = CASE WHEN %s THEN now() ELSE skipped_at END
WHERE name = %s
"""
_COMPLETE_SQL: Final = """
UPDATE watch_progress SET complete_began_at = sweep_began_at, complete_at = now(), sweep_began_at = now()
WHERE name = %s
"""


@dataclass(slots=True)
class Progress:
    """Position of the watch.

    :param floor: journal entries with a smaller transaction id are checked.
    :param table: table of the sweep; ``None``: the first one. ``after``: last id of the page before.
    :param skipped: entries were left out since the last save.
    """

    floor: int
    table: str | None = None
    after: str | None = None
    skipped: bool = False


def load_progress(connection: Connection) -> Progress:
    """Return the stored position, or begin at the present.

    It begins where there is no position, or one of another cluster: transaction ids mean nothing there.
    """
    epoch, newest = cluster_epoch(connection), snapshot_xmin(connection)
    row = connection.execute(_LOAD_SQL, (_NAME,)).fetchone()
    if row is not None and row[0] == epoch and row[1] <= newest:
        return Progress(*row[1:])
    connection.execute(_BEGIN_SQL, (_NAME, epoch, newest))
    return Progress(newest)


def save_progress(connection: Connection, progress: Progress) -> None:
    """Store the position."""
    values = (progress.floor, progress.table, progress.after, progress.skipped, _NAME)
    connection.execute(_SAVE_SQL, values)
    progress.skipped = False


def note_complete_sweep(connection: Connection) -> None:
    """Note that every row has been checked since the sweep began, and that the next one begins."""
    connection.execute(_COMPLETE_SQL, (_NAME,))
