"""Catalogue of the events topic: event type → model of its value."""

from __future__ import annotations

from typing import Final

from schemas.events import (
    CANCELED,
    COMPLETED,
    CREATED,
    DELETED,
    DUE,
    ENTITY_ERASED,
    NEXT_INTERACTION_UPDATED,
    OVERDUE,
    RECORD_EVENTS,
    REOPENED,
    REVERTED,
    UPDATED,
    EntityErased,
    InteractionEvent,
    NextInteractionUpdated,
    Published,
)
from schemas.signal_events import CHILD_EVENT_TYPES

EVENT_TYPES: Final[dict[str, type[Published]]] = {
    CREATED: InteractionEvent,
    UPDATED: InteractionEvent,
    COMPLETED: InteractionEvent,
    CANCELED: InteractionEvent,
    REOPENED: InteractionEvent,
    DELETED: InteractionEvent,
    REVERTED: InteractionEvent,
    DUE: InteractionEvent,
    OVERDUE: InteractionEvent,
    NEXT_INTERACTION_UPDATED: NextInteractionUpdated,
    **{
        f"customers.{kind}.{verb}": model
        for kind, model in RECORD_EVENTS.items()
        for verb in ("created", "updated")
    },
    ENTITY_ERASED: EntityErased,
    **CHILD_EVENT_TYPES,
}
