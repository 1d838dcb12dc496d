"""The ledger of the connectors: for each integration and interaction, what is still to be done.

It is level-triggered: events and provider changes only raise a mark; a worker that has claimed the row
looks at both sides as they are and brings them together. So ten changes during an outage are one piece
of work, and a mark that comes twice does no harm.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from runtime.postgres import Connection

_COLUMNS: Final = (
    "integration_id, interaction_id::text, tenant_id::text, organization_id::text, entity_id::text,"
    " wanted_version, done_version, remote_mark, remote_done, remote_event_id, remote_changed_at, attempts,"
    " parked, intent_marker, pending, pulls, last_error, next_attempt_at"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncItem:
    """One row of the ledger as its claimer saw it."""

    integration_id: str
    interaction_id: str
    tenant_id: str
    organization_id: str
    entity_id: str | None
    wanted_version: int
    done_version: int
    remote_mark: int
    remote_done: int
    remote_event_id: str | None
    remote_changed_at: datetime | None
    attempts: int
    blocked: bool
    intent_marker: str | None
    pending: dict[str, Any] | None
    pulls: int
    last_error: str | None
    next_attempt_at: datetime | None


_CLAIM: Final = f"""
WITH due AS (
  SELECT integration_id, interaction_id FROM sync_ledger
  WHERE integration_id = %(integration)s AND next_attempt_at <= %(now)s
    AND (lease_until IS NULL OR lease_until < %(now)s)
    AND (%(only)s::uuid IS NULL OR interaction_id = %(only)s::uuid)
  ORDER BY next_attempt_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
UPDATE sync_ledger SET lease_owner = %(owner)s, lease_until = %(until)s FROM due
WHERE sync_ledger.integration_id = due.integration_id AND sync_ledger.interaction_id = due.interaction_id
RETURNING {", ".join("sync_ledger." + name.strip() for name in _COLUMNS.split(","))}
"""  # noqa: S608 - constant text


def claim(
    connection: Connection,
    integration_id: str,
    owner: str,
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
    only: str | None = None,
) -> list[SyncItem]:
    """Take due rows for as long as ``lease``; nobody else gets them meanwhile.

    :param only: this interaction and no other.
    """
    rows = connection.execute(
        _CLAIM,
        {
            "integration": integration_id,
            "owner": owner,
            "now": now,
            "until": now + lease,
            "limit": limit,
            "only": only,
        },
    )
    return [_item(row) for row in rows]


def renew(connection: Connection, item: SyncItem, owner: str, *, now: datetime, lease: timedelta) -> bool:
    """Begin the lease of a claimed row anew; ``False`` when somebody else has the row, or it was given back.

    The row is locked until the end of the transaction.
    """
    done = connection.execute(
        "UPDATE sync_ledger SET lease_until = %s"
        " WHERE integration_id = %s AND interaction_id = %s AND lease_owner = %s",
        (now + lease, item.integration_id, item.interaction_id, owner),
    )
    return done.rowcount == 1


def finish(
    connection: Connection,
    item: SyncItem,
    owner: str,
    *,
    now: datetime,
    version: int,
    again_at: datetime | None,
) -> bool:
    """Give a row back, done as far as the claimer saw it; ``False`` when the lease was lost.

    A mark that came in between makes it due at once.

    :param version: the version of the interaction that was seen.
    :param again_at: when to look at it again although nothing new comes; ``None``: not.
    """
    done = connection.execute(
        "UPDATE sync_ledger SET done_version = greatest(done_version, %(version)s),"
        " remote_done = greatest(remote_done, %(mark)s), attempts = 0, last_error = NULL,"
        " lease_owner = NULL, lease_until = NULL, updated_at = now(), next_attempt_at = CASE"
        " WHEN wanted_version > greatest(done_version, %(version)s) OR remote_mark > %(mark)s THEN %(now)s"
        " ELSE %(again)s END"
        " WHERE integration_id = %(integration)s AND interaction_id = %(interaction)s"
        " AND lease_owner = %(owner)s",
        {
            "version": max(version, item.wanted_version),
            "mark": item.remote_mark,
            "now": now,
            "again": again_at,
            "integration": item.integration_id,
            "interaction": item.interaction_id,
            "owner": owner,
        },
    )
    return done.rowcount == 1


def give_back(
    connection: Connection,
    item: SyncItem,
    owner: str,
    *,
    again_at: datetime | None,
    error: str | None = None,
    failed: bool = False,
    blocked: bool = False,
) -> bool:
    """Give a row back undone; ``False`` when the lease was lost.

    :param again_at: when to try again; ``None`` together with ``parked``: when it changes or is retried.
    :param failed: count it as an attempt.
    """
    done = connection.execute(
        "UPDATE sync_ledger SET attempts = attempts + %(failed)s, parked = %(parked)s,"
        " last_error = coalesce(%(error)s, last_error), next_attempt_at = %(again)s,"
        " lease_owner = NULL, lease_until = NULL, updated_at = now()"
        " WHERE integration_id = %(integration)s AND interaction_id = %(interaction)s"
        " AND lease_owner = %(owner)s",
        {
            "failed": int(failed),
            "parked": blocked,
            "error": error,
            "again": again_at,
            "integration": item.integration_id,
            "interaction": item.interaction_id,
            "owner": owner,
        },
    )
    return done.rowcount == 1


def is_blocked(connection: Connection, integration_id: str, interaction_id: str) -> bool:
    """Report whether a row was given up: then any sign of its object is worth another try."""
    row = connection.execute(
        "SELECT parked FROM sync_ledger WHERE integration_id = %s AND interaction_id = %s",
        (integration_id, interaction_id),
    ).fetchone()
    return row is not None and bool(row[0])


def delete_item(connection: Connection, integration_id: str, interaction_id: str) -> None:
    """Remove the row of an import that turned out to be an object of ours."""
    connection.execute(
        "DELETE FROM sync_ledger WHERE integration_id = %s AND interaction_id = %s",
        (integration_id, interaction_id),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCounts:
    """How much is to be done for one integration.

    :param due: rows with work; ``failing``: those of them that have failed and will be tried again.
    :param blocked: rows that were given up until they change or are retried.
    :param oldest_at: since when the oldest due row waits.
    """

    due: int
    failing: int
    blocked: int
    synced: int
    oldest_at: datetime | None


def ledger_counts(connection: Connection, integration_id: str) -> LedgerCounts:
    """Count the rows of one integration."""
    row = connection.execute(
        "SELECT count(*) FILTER (WHERE next_attempt_at IS NOT NULL),"
        " count(*) FILTER (WHERE next_attempt_at IS NOT NULL AND attempts > 0),"
        " count(*) FILTER (WHERE parked), count(*) FILTER (WHERE next_attempt_at IS NULL AND NOT parked),"
        " min(next_attempt_at) FILTER (WHERE attempts = 0) FROM sync_ledger WHERE integration_id = %s",
        (integration_id,),
    ).fetchone()
    assert row is not None
    return LedgerCounts(due=row[0], failing=row[1], blocked=row[2], synced=row[3], oldest_at=row[4])


def _item(row: tuple[Any, ...]) -> SyncItem:
    return SyncItem(
        integration_id=row[0],
        interaction_id=row[1],
        tenant_id=row[2],
        organization_id=row[3],
        entity_id=row[4],
        wanted_version=row[5],
        done_version=row[6],
        remote_mark=row[7],
        remote_done=row[8],
        remote_event_id=row[9],
        remote_changed_at=row[10],
        attempts=row[11],
        blocked=row[12],
        intent_marker=row[13],
        pending=row[14],
        pulls=row[15],
        last_error=row[16],
        next_attempt_at=row[17],
    )
