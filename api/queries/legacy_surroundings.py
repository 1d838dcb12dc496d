"""Read the stored facts that moving a legacy row depends on: customer, deal, strict dictionary."""

from __future__ import annotations

from typing import Any, Final

from api.queries.scope import Connection, Scope, fetch
from domain.default_types import DEFAULT_TYPES
from domain.legacy_rows import StoredFacts

_SQL: Final = """
SELECT EXISTS (SELECT 1 FROM customer_entities e WHERE e.id = %(entity)s
               AND e.tenant_id = %(tenant)s AND e.organization_id = %(organization)s) AS customer_known,
       EXISTS (SELECT 1 FROM customer_deals d WHERE d.id = %(deal)s AND d.entity_id = %(entity)s
               AND d.tenant_id = %(tenant)s AND d.organization_id = %(organization)s) AS deal_known,
       (SELECT d.strict FROM interaction_dictionaries d
        WHERE d.tenant_id = %(tenant)s AND d.organization_id = %(organization)s) AS strict,
       ARRAY(SELECT t.code FROM interaction_types t
             WHERE t.tenant_id = %(tenant)s AND t.organization_id = %(organization)s) AS codes
"""


async def surroundings_of(connection: Connection, scope: Scope, row: dict[str, Any]) -> StoredFacts:
    """Read the facts for one row of the views, in one statement."""
    values = {**scope.parameters(), "entity": row["entity_id"], "deal": row["deal_id"]}
    (found,) = await fetch(connection, _SQL, values)
    return StoredFacts(
        customer_known=found["customer_known"],
        deal_known=found["deal_known"],
        types=frozenset({*found["codes"], *DEFAULT_TYPES}) if found["strict"] else None,
    )
