"""Change marks of the sync ledger: an interaction or its object has changed, so its row is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.errors import ForeignKeyViolation

from runtime.postgres import Connection
from schemas.errors import Retry
from schemas.integration_decisions import Unfinished


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMark:
    """A local change: a new version of an interaction."""

    integration_id: str
    interaction_id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteMark:
    """A remote change: an object that may have changed at the provider."""

    integration_id: str
    interaction_id: str
    tenant_id: str
    organization_id: str
    event_id: str | None
    changed_at: datetime | None


# A new mark does not cut short the backoff of a failing row, but unblocks a blocked one.
_DUE: Final = """
  parked = FALSE,
  attempts = CASE WHEN sync_ledger.parked THEN 0 ELSE sync_ledger.attempts END,
  next_attempt_at = CASE WHEN sync_ledger.attempts > 0 AND NOT sync_ledger.parked
    AND sync_ledger.next_attempt_at IS NOT NULL THEN sync_ledger.next_attempt_at
    ELSE excluded.next_attempt_at END,
  updated_at = now()
"""

_MARK_LOCAL: Final = f"""
INSERT INTO sync_ledger (integration_id, interaction_id, tenant_id, organization_id, entity_id,
  wanted_version, next_attempt_at)
SELECT * FROM unnest(%b::text[], %b::text[]::uuid[], %b::text[]::uuid[], %b::text[]::uuid[],
  %b::text[]::uuid[], %b::bigint[], array_fill(%s::timestamptz, ARRAY[%s::int]))
ON CONFLICT (integration_id, interaction_id) DO UPDATE SET
  wanted_version = excluded.wanted_version, entity_id = excluded.entity_id, {_DUE}
WHERE excluded.wanted_version > sync_ledger.wanted_version
"""  # noqa: S608 - constant text

_MARK_REMOTE: Final = f"""
INSERT INTO sync_ledger (integration_id, interaction_id, tenant_id, organization_id, remote_mark,
  remote_event_id, remote_changed_at, next_attempt_at)
VALUES (%s, %s, %s, %s, 1, %s, %s, %s)
ON CONFLICT (integration_id, interaction_id) DO UPDATE SET
  remote_mark = sync_ledger.remote_mark + 1,
  remote_event_id = coalesce(excluded.remote_event_id, sync_ledger.remote_event_id),
  remote_changed_at = CASE WHEN sync_ledger.remote_mark > sync_ledger.remote_done
    THEN greatest(excluded.remote_changed_at, sync_ledger.remote_changed_at)
    ELSE excluded.remote_changed_at END,
  {_DUE}
RETURNING remote_mark
"""  # noqa: S608 - constant text


def mark_local(connection: Connection, marks: Sequence[LocalMark], now: datetime) -> int:
    """Mark interactions as changed, each with its newest version; the number of rows marked.

    :raises Retry: an integration was removed in the meantime; nothing was marked.
    """
    newest: dict[tuple[str, str], LocalMark] = {}
    for mark in marks:
        known = newest.get((mark.integration_id, mark.interaction_id))
        if known is None or mark.version > known.version:
            newest[mark.integration_id, mark.interaction_id] = mark
    if not newest:
        return 0
    # Hazard: lock rows in one order, or two concurrent calls deadlock.
    rows = [newest[key] for key in sorted(newest)]
    try:
        done = connection.execute(
            _MARK_LOCAL,
            (
                [mark.integration_id for mark in rows],
                [mark.interaction_id for mark in rows],
                [mark.tenant_id for mark in rows],
                [mark.organization_id for mark in rows],
                [mark.entity_id for mark in rows],
                [mark.version for mark in rows],
                now,
                len(rows),
            ),
        )
    except ForeignKeyViolation as error:
        raise Retry("an integration was removed in the meantime") from error
    return done.rowcount


def mark_remote(connection: Connection, mark: RemoteMark, now: datetime) -> int:
    """Mark an object as possibly changed at the provider; the row's new mark count."""
    row = connection.execute(
        _MARK_REMOTE,
        (
            mark.integration_id,
            mark.interaction_id,
            mark.tenant_id,
            mark.organization_id,
            mark.event_id,
            mark.changed_at,
            now,
        ),
    ).fetchone()
    assert row is not None
    return int(row[0])


def retry_items(
    connection: Connection,
    integration_id: str,
    interaction_ids: Sequence[str] | None,
    now: datetime,
    only: Unfinished | None = None,
) -> int:
    """Make rows due immediately, with a read of the provider.

    :param interaction_ids: rows to retry; ``None`` for all that have failed or are due later.
    :param only: of these, the rows in one state.
    """
    done = connection.execute(
        "UPDATE sync_ledger SET attempts = 0, parked = FALSE, remote_mark = remote_mark + 1,"
        " next_attempt_at = %(now)s, updated_at = now() WHERE integration_id = %(integration)s AND"
        " CASE WHEN %(ids)s::uuid[] IS NULL THEN parked OR attempts > 0 OR next_attempt_at > %(now)s"
        " ELSE interaction_id = ANY(%(ids)s::uuid[]) END AND CASE %(only)s::text WHEN 'blocked' THEN parked"
        " WHEN 'failing' THEN NOT parked AND next_attempt_at IS NOT NULL AND attempts > 0"
        " WHEN 'waiting' THEN NOT parked AND next_attempt_at IS NOT NULL AND attempts = 0 ELSE TRUE END",
        {"integration": integration_id, "ids": interaction_ids, "now": now, "only": only},
    )
    return done.rowcount
