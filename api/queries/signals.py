"""Signals with their outcomes, and the progress of a resolution."""

from __future__ import annotations

from typing import Final

from api.queries.drafts import DRAFTS
from api.queries.scope import Connection, Row, Scope, fetch
from api.queries.status_pages import ListedTable, columns_of
from schemas.signal_events import DraftSnapshot, SignalSnapshot

SIGNALS: Final = ListedTable(
    name="signals",
    columns=columns_of(SignalSnapshot),
    time="detected_at",
    statuses=("open", "resolving", "resolved", "skipped"),
    conditions={
        "interaction_id": "interaction_id = %(interaction_id)s",
        "entity_id": "entity_id = %(entity_id)s",
        # A signal without a person is about its customer.
        "person_id": "coalesce(person_id, entity_id) = %(person_id)s",
        "kinds": "kind = ANY(%(kinds)s)",
    },
)
_OUTCOMES: Final = """
SELECT id::text AS id, outcome, detail, draft_id::text AS draft_id, actor_id, command_id, created_at
FROM signal_outcomes
WHERE signal_id = %(id)s AND tenant_id = %(tenant)s AND organization_id = %(organization)s
ORDER BY created_at, id
"""
_DRAFTS: Final = f"""
SELECT {DRAFTS.columns} FROM generated_drafts r
WHERE r.signal_id = %(id)s AND r.tenant_id = %(tenant)s AND r.organization_id = %(organization)s
  AND r.status <> 'deleted'
ORDER BY r.created_at DESC, r.id DESC
"""  # noqa: S608 - constant texts
# The customer's versions order its commands, so the first outcome above the version that `resolve` left is
# the end of that resolution.
_RESOLUTION: Final = f"""
SELECT s.status AS signal_status, s.version AS signal_version, s.resolution, s.failure, s.failure_detail,
       o.outcome, o.detail AS outcome_detail, o.command_id, o.created_at AS ended_at,
       {columns_of(DraftSnapshot, "d")}
FROM signals s
LEFT JOIN LATERAL (
  SELECT o.outcome, o.detail, o.command_id, o.created_at, o.draft_id
  FROM signal_outcomes o
  JOIN journal j ON j.tenant_id = o.tenant_id AND j.organization_id = o.organization_id
    AND j.command_id = o.command_id
  WHERE o.signal_id = s.id AND j.entity_version > %(version)s
  ORDER BY j.entity_version LIMIT 1
) o ON true
LEFT JOIN generated_drafts d ON d.id = coalesce(%(draft)s::uuid, o.draft_id) AND d.signal_id = s.id
WHERE s.id = %(id)s AND s.tenant_id = %(tenant)s AND s.organization_id = %(organization)s
"""  # noqa: S608 - constant texts


async def outcomes_of(connection: Connection, scope: Scope, signal_id: str) -> list[Row]:
    """The history of a signal, oldest first."""
    return await fetch(connection, _OUTCOMES, {**scope.parameters(), "id": signal_id})


async def drafts_of(connection: Connection, scope: Scope, signal_id: str) -> list[Row]:
    """The drafts of a signal that are not deleted, newest first."""
    return await fetch(connection, _DRAFTS, {**scope.parameters(), "id": signal_id})


async def resolution_of(
    connection: Connection, scope: Scope, signal_id: str, version: int, draft_id: str | None
) -> Row | None:
    """State of a resolution: columns of its draft, if it is stored, and of the outcome that ended it.

    :param version: the version that ``resolve`` left, or found.
    :param draft_id: the draft of a signal that was resolved already.
    """
    values = {**scope.parameters(), "id": signal_id, "version": version, "draft": draft_id}
    rows = await fetch(connection, _RESOLUTION, values)
    return rows[0] if rows else None
