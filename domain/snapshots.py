"""Records in their published form (values of ``schemas.events``)."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from domain.model import Deal, Entity, NextInteraction, TypeEntry
from schemas.events import (
    DealSnapshot,
    EntitySnapshot,
    InteractionSnapshot,
    InteractionTypeSnapshot,
    Published,
    instants_of,
    members_of,
)
from schemas.instants import format_instant
from schemas.signal_events import DraftSnapshot, SignalSnapshot


def _maker(model: type[Published]) -> Callable[[Any], dict[str, Any]]:
    """Make the function that converts a record with the model's fields."""
    members, instants = members_of(model), instants_of(model)
    values = attrgetter(*members.values())

    def snapshot(record: Any) -> dict[str, Any]:
        made = dict(zip(members, values(record), strict=True))
        for name in instants:
            if made[name] is not None:
                made[name] = format_instant(made[name])
        return made

    return snapshot


interaction_snapshot: Final = _maker(InteractionSnapshot)
entity_snapshot: Final[Callable[[Entity], dict[str, Any]]] = _maker(EntitySnapshot)
deal_snapshot: Final[Callable[[Deal], dict[str, Any]]] = _maker(DealSnapshot)
signal_snapshot: Final = _maker(SignalSnapshot)
draft_snapshot: Final = _maker(DraftSnapshot)
type_snapshot: Final[Callable[[TypeEntry], dict[str, Any]]] = _maker(InteractionTypeSnapshot)


def next_snapshot(projection: NextInteraction | None) -> dict[str, Any] | None:
    """Next interaction (``schemas.events.NextInteractionSnapshot``)."""
    if projection is None:
        return None
    return {
        "interactionId": projection.interaction_id,
        "at": format_instant(projection.at),
        "name": projection.name,
        "icon": projection.icon,
        "color": projection.color,
    }


def entity_state(row: Entity) -> dict[str, Any]:
    """Customer with its projection (``schemas.events.EntityState``)."""
    last = row.last
    return {
        **entity_snapshot(row),
        "entityVersion": row.entity_version,
        "next": next_snapshot(row.next),
        "last": None
        if last is None
        else {"interactionId": last.interaction_id, "at": format_instant(last.at), "name": last.name},
        "openCount": row.open_count,
        "overdueCount": row.overdue_count,
        "doneCount": row.done_count,
    }
