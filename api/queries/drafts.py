"""Drafts: their list, and the user for whom one was written."""

from __future__ import annotations

from typing import Final

from api.queries.scope import Connection, Scope, fetch
from api.queries.status_pages import ListedTable, columns_of
from schemas.signal_events import DraftSnapshot

DRAFTS: Final = ListedTable(
    name="generated_drafts",
    columns=columns_of(DraftSnapshot),
    time="created_at",
    statuses=("draft", "sent", "deleted"),
    conditions={
        "signal_id": "signal_id = %(signal_id)s",
        "interaction_id": "interaction_id = %(interaction_id)s",
        "entity_id": "entity_id = %(entity_id)s",
        "person_id": "person_id = %(person_id)s",
        "user_id": "user_id = %(user_id)s",
        "channel": "channel = %(channel)s",
    },
)
_USER: Final = """
SELECT user_id FROM generated_drafts
WHERE id = %(id)s AND tenant_id = %(tenant)s AND organization_id = %(organization)s
"""


async def user_of_draft(connection: Connection, scope: Scope, draft_id: str) -> str | None:
    """The user who resolved the signal of a draft; ``None`` if this scope does not contain the draft."""
    rows = await fetch(connection, _USER, {**scope.parameters(), "id": draft_id})
    user: str | None = rows[0]["user_id"] if rows else None
    return user
