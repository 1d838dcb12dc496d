"""Months of the journal: their sizes, what still needs them, and how to drop one beside a working applier."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from psycopg import errors, sql

from runtime.postgres import Connection
from schemas.errors import Retry
from sinks.journal_reader import cluster_epoch
from sinks.legacy_rows import ROLLBACK_ACTOR
from sinks.monthly_partitions import PARTITIONED

_NAME: Final = re.compile(rf"{PARTITIONED}_y(\d{{4}})m(\d{{2}})")
_MONTHS_SQL: Final = """
SELECT c.relname, i.inhrelid IS NOT NULL, coalesce(i.inhdetachpending, false),
  pg_total_relation_size(c.oid), greatest(c.reltuples, 0)::bigint
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind = 'r' AND c.relname ~ %s
  AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'journal'::regclass)
ORDER BY c.relname
"""
_RELAY_SQL: Final = """
SELECT count(*), count(*) FILTER (WHERE r.epoch <> %s), min(r.xid_floor) FROM relay_positions r
"""
_WATCH_SQL: Final = "SELECT min(xid_floor) FROM watch_progress WHERE epoch = %s"
_UNPUBLISHED_SQL: Final = sql.SQL("SELECT EXISTS (SELECT FROM {} WHERE events > 0 AND xid >= %s)")
# Rows of an earlier topic of this name may have any offset, hence the upper bound.
_RESULTS_SQL: Final = sql.SQL(
    "SELECT EXISTS (SELECT FROM {} j JOIN consumed_offsets c ON c.partition = j.partition"
    " WHERE c.results_offset < c.next_offset"
    ' AND j."offset" >= c.results_offset AND j."offset" < c.next_offset)'
)
_PENDING_SQL: Final = "SELECT EXISTS (SELECT FROM sync_ledger WHERE pending IS NOT NULL AND updated_at < %s)"
_KEEP_SQL: Final = sql.SQL(
    "INSERT INTO dropped_deletions"
    " (interaction_id, tenant_id, organization_id, retired_version, rolled_back)"
    " SELECT DISTINCT ON (interaction_id) interaction_id, tenant_id, organization_id,"
    " max(retired_version) OVER w, bool_and(actor_id IS NOT DISTINCT FROM %s) OVER w"
    " FROM {} WHERE interaction_id IS NOT NULL AND retired_version IS NOT NULL"
    " WINDOW w AS (PARTITION BY interaction_id)"
    " ON CONFLICT (interaction_id) DO UPDATE SET"
    " retired_version = greatest(dropped_deletions.retired_version, excluded.retired_version),"
    " rolled_back = dropped_deletions.rolled_back AND excluded.rolled_back"
)
_LOCK_TIMEOUT: Final = "3s"


class MonthInUseError(Retry):
    """A month cannot be dropped while a transaction uses it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """One monthly table of the journal.

    :param end: first moment after it.
    :param rows: estimate of Postgres; ``bytes`` with indexes.
    :param attached: it is a partition of the journal. Otherwise an earlier attempt has detached it.
    :param pending: an earlier attempt to detach it was interrupted.
    """

    name: str
    end: datetime
    rows: int
    bytes: int
    attached: bool
    pending: bool


def journal_months(connection: Connection) -> list[Month]:
    """List the months of the journal, the oldest first."""
    found = []
    for name, attached, pending, size, rows in connection.execute(_MONTHS_SQL, (f"^{_NAME.pattern}$",)):
        match = _NAME.fullmatch(name)
        assert match is not None
        year, month = int(match[1]), int(match[2])
        end = date(year + month // 12, month % 12 + 1, 1)
        moment = datetime(end.year, end.month, end.day, tzinfo=UTC)
        month_ = Month(name=name, end=moment, rows=rows, bytes=size, attached=attached, pending=pending)
        found.append(month_)
    return found


def needed_by(connection: Connection, month: Month) -> str | None:
    """Return the reason why a month cannot go yet, whatever its age; ``None`` if nothing needs it."""
    table = sql.Identifier(month.name)
    epoch = cluster_epoch(connection)
    relays = connection.execute(_RELAY_SQL, (epoch,)).fetchone()
    assert relays is not None
    count, foreign, floor = relays
    if foreign:
        return "the relay has not continued since this database was restored or moved"
    if _exists(connection, _UNPUBLISHED_SQL.format(table), (floor if count else 0,)):
        return "the relay has not published all of its events"
    watch = connection.execute(_WATCH_SQL, (epoch,)).fetchone()
    if (
        watch is not None
        and watch[0] is not None
        and _exists(connection, _UNPUBLISHED_SQL.format(table), (watch[0],))
    ):
        return "the watch has not compared all of its entries with their rows"
    if _exists(connection, _RESULTS_SQL.format(table), ()):
        return "results of its commands are not published"
    if _exists(connection, _PENDING_SQL, (month.end,)):
        return "an integration waits since then for outcomes of its commands; resume or remove it"
    return None


def keep_deletions(connection: Connection, month: Month) -> int:
    """Keep the ids and last versions of the interactions that were deleted in a month; returns how many.

    Version continuity and the invisibility of deleted legacy rows depend on them. Deletions that took back a
    backfill are marked: they hide no legacy row. Repeating it is safe.
    """
    return connection.execute(_KEEP_SQL.format(sql.Identifier(month.name)), (ROLLBACK_ACTOR,)).rowcount


def drop_month(connection: Connection, month: Month) -> None:
    """Drop a month without delaying the applier; call ``keep_deletions`` before.

    Hazard: dropping a partition locks the whole journal exclusively, and every batch would queue behind the
    oldest reader. It is detached concurrently instead: that waits for older transactions but blocks none. An
    interrupted attempt leaves it pending, and the next one completes it.

    :param connection: in autocommit mode.
    :raises MonthInUseError: a transaction that uses the journal stays open; nothing is blocked meanwhile.
    """
    parent, name = sql.Identifier(PARTITIONED), sql.Identifier(month.name)
    connection.execute(sql.SQL("SET lock_timeout = {}").format(sql.Literal(_LOCK_TIMEOUT)))
    try:
        if month.attached:
            how = sql.SQL("FINALIZE" if month.pending else "CONCURRENTLY")
            connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {} {}").format(parent, name, how))
        connection.execute(sql.SQL("DROP TABLE {}").format(name))
    except errors.LockNotAvailable as error:
        raise MonthInUseError(f"{month.name} is in use by a transaction that stays open") from error
    finally:
        connection.execute("RESET lock_timeout")


def _exists(connection: Connection, statement: sql.Composed | str, values: Sequence[object]) -> bool:
    row = connection.execute(statement, values).fetchone()
    return row is not None and bool(row[0])
