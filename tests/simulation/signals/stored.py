"""The rows of one tenant, in the shape of the model."""

from __future__ import annotations

from typing import Any, Final

from runtime.postgres import Connection
from tests.simulation.signals.model import Key, Row

_SQL: Final = {
    "interaction": "SELECT id::text, title, version FROM customer_interactions",
    "signal": "SELECT id::text, interaction_id::text AS interaction, title, person_id::text AS person,"
    " status, channel, resolved_by AS user, resolution, draft_id::text AS draft, failure, version"
    " FROM signals",
    "draft": "SELECT id::text, signal_id::text AS signal, status, body, channel, user_id AS user, version"
    " FROM generated_drafts",
    "outcome": "SELECT command_id || '/' || signal_id AS id, signal_id::text AS signal, outcome"
    " FROM signal_outcomes",
}


def rows_of(connection: Connection, tenant: str, organization: str) -> dict[Key, Row]:
    """Read all rows of a tenant."""
    found: dict[Key, Row] = {}
    for table, text in _SQL.items():
        cursor = connection.execute(
            f"{text} WHERE tenant_id = %s AND organization_id = %s",
            (tenant, organization),
        )
        names = [column.name for column in cursor.description or ()]
        for values in cursor:
            row: dict[str, Any] = dict(zip(names, values, strict=True))
            found[table, row.pop("id")] = row
    return found
