"""The sync ledger: one row of outstanding work per integration and interaction, claimed by lease.

The ledger is level-triggered: events and provider changes only raise a mark (``ledger_marks``). The worker
that claims the row reads both sides as they are now and reconciles them. Ten changes during an outage are
one item of work, and a repeated mark does no harm. Writes are recorded first (``ledger_intents``).
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
    """One ledger row as read at claim time.

    :param wanted_version: newest version of the interaction to mirror; ``done_version`` is the mirrored one.
    :param remote_mark: count of remote changes; ``remote_done`` is the count that was processed.
    :param blocked: given up until it changes or is retried (column ``parked``).
    :param intent_marker: marker of a create whose outcome is unknown.
    :param pending: commands whose outcome is unknown.
    :param pulls: count of inbound command batches; keeps command ids unique.
    """

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
    AND EXISTS (SELECT FROM integrations i WHERE i.id = %(integration)s AND i.state = 'active')
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
    """Claim due rows exclusively for the duration of ``lease``.

    None of an integration that is not active: once people were told that it is paused, nothing begins.

    :param only: claim only the row of this interaction.
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
    """Renew the lease of a claimed row; ``False`` if it was lost to another worker, or released.

    Locks the row until the end of the transaction.
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
    """Release a row as done up to what was claimed; ``False`` if the lease was lost.

    A mark raised since the claim makes the row due immediately.

    :param version: version of the interaction that was read.
    :param again_at: time of a further check without any new mark, if needed.
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
    """Release a row without completing it; ``False`` if the lease was lost.

    :param again_at: time of the next attempt; ``None`` for a blocked row.
    :param blocked: give up until the row changes or is retried.
    :param failed: count this as a failed attempt.
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
    """Report whether a row is blocked; any sign of its object then justifies another attempt."""
    row = connection.execute(
        "SELECT parked FROM sync_ledger WHERE integration_id = %s AND interaction_id = %s",
        (integration_id, interaction_id),
    ).fetchone()
    return row is not None and bool(row[0])


def delete_item(connection: Connection, integration_id: str, interaction_id: str) -> None:
    """Delete the row of an import that turned out to be an object we created."""
    connection.execute(
        "DELETE FROM sync_ledger WHERE integration_id = %s AND interaction_id = %s",
        (integration_id, interaction_id),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerCounts:
    """Row counts of one integration.

    :param due: rows with work to do.
    :param failing: due rows that have failed and will be retried.
    :param blocked: rows given up until they change or are retried.
    :param synced: rows without work.
    :param oldest_at: due time of the oldest row that has not failed.
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
