"""The daily digest of an integration: what it contains, and the date of the last one that was delivered."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

from connectors.sdk.digest import Digest, DigestItem, DigestOwner, DigestTime
from connectors.store.checkpoints import read_checkpoint, write_checkpoint
from connectors.store.integrations import Integration
from domain.default_types import DEFAULT_TYPES
from runtime.postgres import Connection
from schemas.instants import days_around

_JOB: Final = "connectors.digest:"
#: Owners of a digest, and items of each.
MOST_OWNERS: Final = 200
MOST_ITEMS: Final = 20
_TYPES_SQL: Final = """
SELECT code, actionable FROM interaction_types WHERE tenant_id = %s AND organization_id = %s
"""
# The totals are computed over all groups, before LIMIT.
_DUE_SQL: Final = """
WITH due AS (
  SELECT id, entity_id, interaction_type, title, scheduled_at, owner_user_id,
    scheduled_at < %(today)s AS overdue,
    row_number() OVER (PARTITION BY owner_user_id ORDER BY scheduled_at, id) AS place
  FROM customer_interactions
  WHERE tenant_id = %(tenant)s AND organization_id = %(organization)s AND status = 'planned'
    AND scheduled_at < %(tomorrow)s AND interaction_type = ANY(%(types)s)
)
SELECT owner_user_id::text, count(*) FILTER (WHERE overdue), count(*) FILTER (WHERE NOT overdue),
  coalesce(array_agg(id::text ORDER BY place) FILTER (WHERE place <= %(items)s), '{}'),
  coalesce(array_agg(entity_id::text ORDER BY place) FILTER (WHERE place <= %(items)s), '{}'),
  coalesce(array_agg(interaction_type ORDER BY place) FILTER (WHERE place <= %(items)s), '{}'),
  coalesce(array_agg(title ORDER BY place) FILTER (WHERE place <= %(items)s), '{}'),
  coalesce(array_agg(scheduled_at ORDER BY place) FILTER (WHERE place <= %(items)s), '{}'),
  coalesce(array_agg(overdue ORDER BY place) FILTER (WHERE place <= %(items)s), '{}'),
  (sum(count(*) FILTER (WHERE overdue)) OVER ())::bigint,
  (sum(count(*) FILTER (WHERE NOT overdue)) OVER ())::bigint,
  count(*) OVER ()
FROM due GROUP BY owner_user_id ORDER BY count(*) DESC, owner_user_id NULLS LAST LIMIT %(owners)s
"""


def last_digest(connection: Connection, integration: Integration) -> date | None:
    """Local date of the last delivered digest."""
    found = read_checkpoint(connection, *_key(integration))
    return date.fromisoformat(found["date"]) if found is not None else None


def note_digest(connection: Connection, integration: Integration, day: date) -> None:
    """Note that the digest of a date was delivered."""
    write_checkpoint(connection, *_key(integration), {"date": day.isoformat()})


def read_digest(
    connection: Connection, integration: Integration, at: DigestTime, now: datetime, only: tuple[str, ...]
) -> Digest:
    """Read what is overdue and what is due today, by the rules of the work list.

    :param only: types to include; empty for all that count as tasks.
    """
    scope = integration.tenant_id, integration.organization_id
    stored: dict[str, bool] = dict(connection.execute(_TYPES_SQL, scope).fetchall())
    known = {**{code: entry.actionable for code, entry in DEFAULT_TYPES.items()}, **stored}
    types = [code for code, actionable in known.items() if actionable and (not only or code in only)]
    day, today, tomorrow = days_around(now, at.zone)
    values: dict[str, Any] = {
        "tenant": scope[0],
        "organization": scope[1],
        "types": types,
        "today": today,
        "tomorrow": tomorrow,
        "items": MOST_ITEMS,
        "owners": MOST_OWNERS,
    }
    rows = connection.execute(_DUE_SQL, values).fetchall()
    return Digest(
        date=day,
        zone=at.zone.key,
        overdue=rows[0][9] if rows else 0,
        today=rows[0][10] if rows else 0,
        owners=tuple(_owner(row) for row in rows),
        owner_count=rows[0][11] if rows else 0,
    )


def _owner(row: tuple[Any, ...]) -> DigestOwner:
    items = (
        DigestItem(
            interaction_id=identity,
            entity_id=entity_id,
            interaction_type=interaction_type,
            title=title,
            scheduled_at=scheduled_at,
            overdue=overdue,
        )
        for identity, entity_id, interaction_type, title, scheduled_at, overdue in zip(*row[3:9], strict=True)
    )
    return DigestOwner(owner_user_id=row[0], overdue=row[1], today=row[2], items=tuple(items))


def _key(integration: Integration) -> tuple[str, str, str]:
    return _JOB + integration.id, integration.tenant_id, integration.organization_id
