"""An interaction as one flat tuple, independent of its source, so that tuples compare directly."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

from audit.instants import micros

_LONG: Final = 48


class Interaction(NamedTuple):
    """One interaction. The fields before ``schedule_version`` are the API's shape; instants are in µs."""

    id: str
    entity: str
    deal: str | None
    type: str
    title: str | None
    body: str | None
    feedback: str | None
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


#: Fields that are named otherwise than their columns.
_RENAMED: Final = {
    "entity": "entity_id",
    "deal": "deal_id",
    "type": "interaction_type",
    "scheduled": "scheduled_at",
    "occurred": "occurred_at",
    "author": "author_user_id",
    "owner": "owner_user_id",
    "icon": "appearance_icon",
    "color": "appearance_color",
    "organization": "organization_id",
    "tenant": "tenant_id",
    "created": "created_at",
    "updated": "updated_at",
}


def camel(column: str) -> str:
    """Name of a column in events and commands."""
    first, *rest = column.split("_")
    return first + "".join(part.capitalize() for part in rest)


COLUMNS: Final = tuple(_RENAMED.get(name, name) for name in Interaction._fields)
SHAPE: Final = COLUMNS.index("schedule_version")
#: Names in events and commands → fields.
MEMBERS: Final = {camel(COLUMNS[at]): name for at, name in enumerate(Interaction._fields[:SHAPE])}
_INSTANTS: Final = frozenset(at for at, name in enumerate(COLUMNS) if name.endswith(("_at", "_as_of")))
_TEXTS: Final = frozenset(COLUMNS.index(name) for name in ("title", "body", "feedback"))


def short(text: str | None) -> str | None:
    """Replace a long text by its length and digest: enough to compare, cheap to keep."""
    if text is None or len(text) <= _LONG:
        return text
    return f"#{len(text)}:{blake2b(text.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"


def from_row(row: Mapping[str, Any]) -> Interaction:
    """Build from a row of ``customer_interactions``."""
    return Interaction(*(_value(at, row[name]) for at, name in enumerate(COLUMNS)))


def from_shape(value: Mapping[str, Any]) -> tuple[Any, ...]:
    """Build the fields of the API's shape from ``before``, ``after`` or a state value."""
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
