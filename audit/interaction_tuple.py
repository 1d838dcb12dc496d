"""An interaction as one flat tuple, independent of its source, so that tuples compare directly."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from audit.instants import micros

_LONG: Final = 48


class Interaction(NamedTuple):
    """One interaction. The first twenty fields are the API's shape; instants are in µs."""

    id: str
    entity: str
    deal: str | None
    type: str
    title: str | None
    body: str | None
    status: str
    scheduled: int | None
    occurred: int | None
    priority: int | None
    author: str | None
    owner: str | None
    icon: str | None
    color: str | None
    source: str | None
    organization: str
    tenant: str
    version: int
    created: int
    updated: int
    schedule_version: int
    due_phase: int
    status_as_of: int
    scheduled_as_of: int
    occurred_as_of: int


COLUMNS: Final = (
    "id", "entity_id", "deal_id", "interaction_type", "title", "body", "status", "scheduled_at",
    "occurred_at", "priority", "author_user_id", "owner_user_id", "appearance_icon", "appearance_color",
    "source", "organization_id", "tenant_id", "version", "created_at", "updated_at", "schedule_version",
    "due_phase", "status_as_of", "scheduled_as_of", "occurred_as_of",
)  # fmt: skip
MEMBERS: Final = (
    "id", "entityId", "dealId", "interactionType", "title", "body", "status", "scheduledAt",
    "occurredAt", "priority", "authorUserId", "ownerUserId", "appearanceIcon", "appearanceColor",
    "source", "organizationId", "tenantId", "version", "createdAt", "updatedAt",
)  # fmt: skip
SHAPE: Final = len(MEMBERS)
_INSTANTS: Final = frozenset({7, 8, 18, 19, 22, 23, 24})
_TEXTS: Final = frozenset({4, 5})


def short(text: str | None) -> str | None:
    """Replace a long text by its length and digest: enough to compare, cheap to keep."""
    if text is None or len(text) <= _LONG:
        return text
    return f"#{len(text)}:{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def from_row(row: Mapping[str, Any]) -> Interaction:
    """Build from a row of ``customer_interactions``."""
    return Interaction(*(_value(at, row[name]) for at, name in enumerate(COLUMNS)))


def from_shape(value: Mapping[str, Any]) -> tuple[Any, ...]:
    """Build the first twenty fields from ``before``, ``after`` or a state value."""
    return tuple(_value(at, value.get(name)) for at, name in enumerate(MEMBERS))


def differences(ours: tuple[Any, ...], theirs: tuple[Any, ...]) -> str:
    """Names of the columns that differ, never their values: these may be customer text."""
    return ", ".join(name for name, a, b in zip(COLUMNS, ours, theirs, strict=False) if a != b)


def _value(at: int, value: Any) -> Any:
    if value is None:
        return None
    if at in _INSTANTS:
        return micros(value)
    if at in _TEXTS:
        return short(value)
    return value
