"""Facts for a draft, read from the stored rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from runtime.postgres import Connection

_SQL: Final = """
SELECT s.tenant_id::text, s.organization_id::text, s.entity_id::text, s.kind, s.title, s.body, s.channel,
       s.language, s.instruction, p.display_name, i.interaction_type, i.title, i.occurred_at,
       CASE WHEN e.next_interaction_at > clock_timestamp() THEN e.next_interaction_at END
FROM signals s
JOIN customer_interactions i ON i.id = s.interaction_id
JOIN customer_entities e ON e.id = s.entity_id
LEFT JOIN customer_entities p ON p.id = coalesce(s.person_id, s.entity_id)
  AND p.tenant_id = s.tenant_id AND p.organization_id = s.organization_id
  AND (s.person_id IS NOT NULL OR p.kind = 'person')
WHERE s.id = %s AND s.tenant_id = %s AND s.organization_id = %s
  AND s.status = 'resolving' AND s.resolution = %s
"""


@dataclass(frozen=True, slots=True)
class DraftFacts:
    """A signal that is being resolved, its interaction and its person.

    :param person_name: ``None`` if the person is unknown in this tenant and organization.
    :param next_at: time of the customer's next interaction, if it is in the future.
    """

    tenant_id: str
    organization_id: str
    entity_id: str
    signal_kind: str
    signal_title: str
    signal_body: str | None
    channel: str
    language: str
    instruction: str | None
    person_name: str | None
    interaction_type: str
    interaction_title: str | None
    occurred_at: datetime | None
    next_at: datetime | None


def read_draft_facts(
    connection: Connection, signal_id: str, scope: tuple[str, str], resolution: int
) -> DraftFacts | None:
    """Read the facts; ``None`` when this resolution is over."""
    row = connection.execute(_SQL, (signal_id, *scope, resolution)).fetchone()
    return DraftFacts(*row) if row is not None else None
