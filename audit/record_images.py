"""Customers, deals and dictionary entries as hashes: of events, of states and of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from audit.history import Row
from audit.instants import micros

#: Kind → columns and the members of its published form.
_FIELDS: Final[dict[str, dict[str, str]]] = {
    "entity": {
        "id": "id",
        "tenant_id": "tenantId",
        "organization_id": "organizationId",
        "kind": "kind",
        "display_name": "displayName",
        "primary_email": "primaryEmail",
        "primary_phone": "primaryPhone",
        "owner_user_id": "ownerUserId",
    },
    "deal": {
        "id": "id",
        "tenant_id": "tenantId",
        "organization_id": "organizationId",
        "entity_id": "entityId",
        "title": "title",
        "status": "status",
        "version": "version",
    },
    "interaction_type": {
        "code": "code",
        "tenant_id": "tenantId",
        "organization_id": "organizationId",
        "label": "label",
        "icon": "icon",
        "color": "color",
        "actionable": "actionable",
    },
}
_PROJECTION: Final = (
    ("next_interaction_ref_id", "next", "interactionId"),
    ("next_interaction_at", "next", "at"),
    ("next_interaction_name", "next", "name"),
    ("next_interaction_icon", "next", "icon"),
    ("next_interaction_color", "next", "color"),
    ("last_interaction_ref_id", "last", "interactionId"),
    ("last_interaction_at", "last", "at"),
    ("last_interaction_name", "last", "name"),
)
_COUNTS: Final = {
    "entity_version": "entityVersion",
    "open_count": "openCount",
    "overdue_count": "overdueCount",
    "done_count": "doneCount",
}
#: Kinds with an event for each change.
KINDS: Final = tuple(_FIELDS)


def image_of_shape(kind: str, shape: Mapping[str, Any]) -> int:
    """Hash the published form of a record."""
    return hash(tuple(shape.get(name) for name in _FIELDS[kind].values()))


def image_of_row(kind: str, row: Row) -> int:
    """Hash a row, as its published form is hashed."""
    return hash(tuple(row[name] for name in _FIELDS[kind]))


def key_of_shape(kind: str, shape: Mapping[str, Any]) -> str:
    """Identify a record: by its id; a dictionary entry by tenant, organization and code."""
    if kind == "interaction_type":
        return f"{shape['tenantId']}/{shape['organizationId']}/{shape['code']}"
    return str(shape["id"])


def key_of_row(kind: str, row: Row) -> str:
    """Identify the record of a row in the same way."""
    if kind == "interaction_type":
        return f"{row['tenant_id']}/{row['organization_id']}/{row['code']}"
    return str(row["id"])


def owner_of_shape(kind: str, shape: Mapping[str, Any]) -> str:
    """Name what may lag as a whole: a customer, or a dictionary by tenant and organization."""
    if kind == "interaction_type":
        return f"{shape['tenantId']}/{shape['organizationId']}"
    return str(shape["entityId"] if kind == "deal" else shape["id"])


def owner_of_row(kind: str, row: Row) -> str:
    """Name the owner of a row in the same way."""
    if kind == "interaction_type":
        return f"{row['tenant_id']}/{row['organization_id']}"
    return str(row["entity_id"] if kind == "deal" else row["id"])


def state_of_shape(kind: str, shape: Mapping[str, Any]) -> int:
    """Hash a state: the record; of a customer also next and last interaction, and counts."""
    image = image_of_shape(kind, shape)
    if kind != "entity":
        return image
    parts: list[Any] = [image]
    for _, part, member in _PROJECTION:
        value = (shape.get(part) or {}).get(member)
        parts.append(micros(value) if member == "at" else value)
    return hash((*parts, *(shape[name] for name in _COUNTS.values())))


def state_of_row(kind: str, row: Row) -> int:
    """Hash a row, as its state is hashed."""
    image = image_of_row(kind, row)
    if kind != "entity":
        return image
    parts: list[Any] = [image]
    for column, _, member in _PROJECTION:
        parts.append(micros(row[column]) if member == "at" else row[column])
    return hash((*parts, *(row[name] for name in _COUNTS)))
