"""Entities that show the old label, icon or colour of a type."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from domain.decision import Decision
from domain.journal import JournalEntry
from runtime.postgres import Connection

_AFFECTED_SQL: Final = """
SELECT e.id FROM customer_entities e JOIN customer_interactions i ON i.id = e.next_interaction_ref_id
WHERE e.tenant_id = %s AND e.organization_id = %s AND i.interaction_type = %s
UNION
SELECT e.id FROM customer_entities e JOIN customer_interactions i ON i.id = e.last_interaction_ref_id
WHERE e.tenant_id = %s AND e.organization_id = %s AND i.interaction_type = %s
ORDER BY 1
"""


def with_relabeled(connection: Connection, decision: Decision) -> JournalEntry:
    """Return the decision's entry, with the entities that show the old label if it changed one.

    Hazard: call it after the rows of the whole batch are written.
    """
    entry = decision.entry
    if decision.relabeled is None:
        return entry
    scope = entry.tenant_id, entry.organization_id, decision.relabeled
    found = connection.execute(_AFFECTED_SQL, (*scope, *scope))
    return replace(entry, facts=replace(decision.facts, relabeled=tuple(entity for (entity,) in found)))
