"""Monthly partitions of the journal: created ahead of time, dropped as a whole."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

import psycopg
from psycopg import sql

#: The table partitioned by month (see ``sinks.tables``).
PARTITIONED: Final = "journal"
MONTHS_AHEAD: Final = 2
_LOCK: Final = 0x1A7E0003


def _month(day: date, ahead: int) -> date:
    index = day.year * 12 + day.month - 1 + ahead
    return date(index // 12, index % 12 + 1, 1)


def ensure_partitions(connection: psycopg.Connection[Any], today: date | None = None) -> list[str]:
    """Create the missing partitions from last month to ``MONTHS_AHEAD`` months ahead.

    Safe to call from several processes at once. Last month is included so that a clock that steps back
    across a month boundary finds its partition.

    :param today: the day to count from; the current UTC day by default.
    :returns: the names of the partitions that were created.
    """
    created = []
    first = today or datetime.now(UTC).date()
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        for ahead in range(-1, MONTHS_AHEAD + 1):
            start, end = _month(first, ahead), _month(first, ahead + 1)
            name = f"{PARTITIONED}_y{start:%Y}m{start:%m}"
            exists = connection.execute("SELECT to_regclass(%s)", (name,)).fetchone()
            if exists is not None and exists[0] is not None:
                continue
            connection.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(name),
                    sql.Identifier(PARTITIONED),
                    sql.Literal(f"{start:%Y-%m-%d} 00:00:00+00"),
                    sql.Literal(f"{end:%Y-%m-%d} 00:00:00+00"),
                )
            )
            # Hazard: a key of the whole table must include `logged_at`; then two appliers that race on one
            # command id would both store it.
            connection.execute(
                sql.SQL("CREATE UNIQUE INDEX {} ON {} (command_id, tenant_id, organization_id)").format(
                    sql.Identifier(f"{name}_command"), sql.Identifier(name)
                )
            )
            created.append(name)
    return created
