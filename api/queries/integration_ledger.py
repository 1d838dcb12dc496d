"""Ledger rows of one integration in keyset pages, last changed first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from api.queries.keyset import After, order_sql
from api.queries.scope import Connection, Row, Scope, fetch

LEDGER_STATES: Final = ("waiting", "failing", "blocked", "synced")
#: State of a row; the names are those of ``schemas.integration_decisions.Unfinished``, and ``synced``.
_STATE: Final = (
    "CASE WHEN row.parked THEN 'blocked' WHEN row.next_attempt_at IS NULL THEN 'synced'"
    " WHEN row.attempts > 0 THEN 'failing' ELSE 'waiting' END"
)
_COLUMNS: Final = f"""
row.interaction_id::text AS id, row.entity_id::text AS entity_id, {_STATE} AS state, row.attempts,
row.last_error, row.next_attempt_at, row.updated_at, interaction.title, interaction.interaction_type,
mapping.external_id, mapping.external_url, mapping.last_synced_at
"""


async def ledger_page(
    connection: Connection,
    scope: Scope,
    integration: str,
    *,
    states: Sequence[str] | None,
    after: After | None,
    limit: int,
) -> tuple[list[Row], bool]:
    """The rows of one page, and whether more follow.

    :param states: only rows in these states; ``None`` for any.
    :param after: time of the last change and interaction id of the last row of the page before.
    """
    conditions = [
        "row.tenant_id = %(tenant)s AND row.organization_id = %(organization)s",
        "row.integration_id = %(integration)s",
    ]
    given = dict[str, Any](scope.parameters(), integration=integration, rows=limit + 1)
    if states is not None:
        conditions.append(f"{_STATE} = ANY(%(states)s)")
        given["states"] = list(states)
    if after is not None:
        conditions.append("(row.updated_at, row.interaction_id) < (%(after_key)s, %(after_id)s::uuid)")
        given |= {"after_key": after.key, "after_id": after.id}
    statement = f"""
    SELECT {_COLUMNS} FROM sync_ledger row
    LEFT JOIN customer_interactions interaction ON interaction.id = row.interaction_id
      AND interaction.tenant_id = row.tenant_id AND interaction.organization_id = row.organization_id
    LEFT JOIN sync_external_id_mappings mapping ON mapping.integration_id = row.integration_id
      AND mapping.local_id = row.interaction_id AND mapping.entity_type = 'customers.interaction'
    WHERE {" AND ".join(conditions)}
    ORDER BY {order_sql("row.updated_at", "row.interaction_id", "desc")} LIMIT %(rows)s
    """  # noqa: S608 - constant texts
    rows = await fetch(connection, statement, given)
    return rows[:limit], len(rows) > limit
