"""Turn records of the topics into changes of rows."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

EVENTS = "customers.interactions.events"
INTERACTION_STATE = "customers.interactions.state"
NEXT_STATE = "customers.next-interaction.state"
ENTITY_STATE = "customers.entities.state"
DEAL_STATE = "customers.deals.state"
TYPE_STATE = "customers.interaction-types.state"

#: Read once, to their ends. From then on the events carry every change of these rows, with its version.
READ_ONCE = (INTERACTION_STATE, NEXT_STATE)
#: Followed for good: not every change of these rows has an event, and interaction types have no version.
FOLLOWED_STATES = (ENTITY_STATE, DEAL_STATE, TYPE_STATE)

#: State topic → table.
TABLES = {
    INTERACTION_STATE: "interaction_versions",
    NEXT_STATE: "next_interaction_versions",
    ENTITY_STATE: "entities",
    DEAL_STATE: "deals",
    TYPE_STATE: "interaction_types",
}

Row = dict[str, Any]


class Record(NamedTuple):
    """One record of a topic, decoded.

    :param value: ``None`` for a tombstone.
    """

    topic: str
    offset: int
    key: str
    type: str
    value: Mapping[str, Any] | None


class Change(NamedTuple):
    """One version of one row.

    :param key: value of the table's first column.
    :param row: column → value, with the row's ``version``; ``None`` for a tombstone, which has no version.
    """

    table: str
    key: str
    row: Row | None


class Erasure(NamedTuple):
    """The erasure of a customer, with everything that belongs to it."""

    entity_id: str


def change_of(record: Record) -> Change | Erasure | None:
    """Return the change that a record makes; ``None`` for an event that changes none of the tables."""
    if record.topic == EVENTS:
        return _change_of_event(record)
    table, value = TABLES[record.topic], record.value
    if value is None:
        return Change(table, record.key, None)
    row = _columns(value)
    if record.topic == INTERACTION_STATE:
        row["deleted"] = False
    elif record.topic == NEXT_STATE:
        row = _next_row(value)
    elif record.topic == ENTITY_STATE:
        row |= {f"last_{name}": at for name, at in _columns(value["last"] or {}).items()}
        row["version"] = value["entityVersion"]
    elif record.topic == TYPE_STATE:
        # A type has no version. All records of its key are in one partition, whose offsets are their order.
        row |= {"key": record.key, "version": record.offset}
    return Change(table, record.key, row)


def _change_of_event(event: Record) -> Change | Erasure | None:
    value = event.value
    assert value is not None, "events have no tombstones"
    if event.type == "customers.entity.erased":
        return Erasure(value["id"])
    if event.type == "customers.next_interaction.updated":
        return Change(TABLES[NEXT_STATE], value["id"], _next_row(value))
    if not event.type.startswith("customers.interaction."):
        return None  # of customers, deals and types, whose state topics are followed; or of a later version
    row = {"id": value["id"], "version": value["version"], "deleted": value["after"] is None}
    return Change(TABLES[INTERACTION_STATE], value["id"], {**_columns(value["after"] or {}), **row})


def _next_row(value: Mapping[str, Any]) -> Row:
    """Build the row of a next interaction; without ``interaction_id`` there is none."""
    scope = ("entityId", "tenantId", "organizationId")
    found = value["next"] or {}
    return {
        **_columns({name: value[name] for name in scope}),
        "version": value["entityVersion"],
        "interaction_id": found.get("interactionId"),
        "scheduled_at": found.get("at"),
        "name": found.get("name"),
        "icon": found.get("icon"),
        "color": found.get("color"),
    }


def _columns(value: Mapping[str, Any]) -> Row:
    return {_column(name): member for name, member in value.items()}


@cache
def _column(name: str) -> str:
    """Name of the column for a member: ``entityId`` → ``entity_id``."""
    return re.sub(r"([A-Z])", r"_\1", name).lower()
