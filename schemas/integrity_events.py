"""Values of the integrity events topic (Avro): ids and one sentence, without customer text."""

from __future__ import annotations

from typing import Final

from schemas.events import InstantText, Published

INTEGRITY_VIOLATED: Final = "customers.integrity.violated"


class IntegrityViolated(Published):
    """A stored row breaks an invariant of the audit; ``id`` is the same whenever this violation is found."""

    id: str
    check: str
    subject: str
    subject_id: str
    entity_id: str
    tenant_id: str
    organization_id: str
    what: str
    first_seen: InstantText


#: Event type → model of its value.
INTEGRITY_EVENT_TYPES: Final[dict[str, type[Published]]] = {INTEGRITY_VIOLATED: IntegrityViolated}
