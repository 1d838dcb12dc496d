"""Models of the ``data`` of each command type."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from schemas.flags import FlagName
from schemas.interaction_fields import EDITABLE, InteractionFields
from schemas.next_step import NextStep
from schemas.payload_base import DEFAULT_UNSEEN, Clearing, Payload
from schemas.signal_payloads import DRAFT_PAYLOADS, MAX_SIGNALS, SIGNAL_PAYLOADS, SignalFix
from schemas.values import (
    Body,
    Color,
    CommandId,
    Email,
    EntityKind,
    Flag,
    Instant,
    InteractionType,
    Label,
    Name,
    ShortText,
    Status,
    Title,
    UndoToken,
    UuidText,
)

#: Policy for the objects of an erased customer at providers.
Mirrors = Literal["delete", "leave"]


class EntityUpsert(Clearing):
    """Add or change a person or company; omitted fields keep their value.

    A new one needs a ``displayName``.
    """

    mutable = frozenset({"display_name", "primary_email", "primary_phone", "owner_user_id"})
    clearable = mutable - {"display_name"}
    required_when_new = frozenset({"display_name"})

    id: UuidText
    kind: EntityKind
    # Declared without null, so that null is rejected: a customer always has a name.
    display_name: Name = ""
    primary_email: Email | None = None
    primary_phone: ShortText | None = None
    owner_user_id: UuidText | None = None


class EntityErase(Payload):
    """Erase a customer with all rows for good; its id is never used again.

    ``mirrors`` decides on the objects at providers: ``leave`` keeps them, ``delete`` deletes them.
    """

    id: UuidText
    mirrors: Mirrors = "leave"


class DealUpsert(Payload):
    """Add or change a deal of one entity; omitted fields keep their value.

    A new one needs a ``title``.
    """

    mutable = frozenset({"title", "status"})
    required_when_new = frozenset({"title"})
    partial = True

    id: UuidText
    # Declared without null, so that null is rejected: a deal always has a title.
    title: Title = ""
    status: ShortText | None = None


class InteractionTypeUpsert(Payload):
    """Add or change an interaction type; ``strict`` makes the whole dictionary strict or open."""

    partial = True

    interaction_type: InteractionType
    label: Label | None = None
    icon: ShortText | None = None
    color: Color | None = None
    actionable: Flag | None = None
    strict: Flag | None = None


class FeatureFlagSet(Payload):
    """Switch a feature flag on or off for the whole tenant (spec "Configuration")."""

    flag: FlagName
    enabled: Flag


class InteractionCreate(InteractionFields, Payload):
    """Plan an interaction, or record one that took place (``status: done``, or ``occurredAt`` alone).

    ``createdAt`` is for interactions imported from another system; a time in the future counts as now.
    ``updatedAt`` is for those whose ``source`` begins with ``migration:``. They announce no past schedule.
    """

    id: UuidText | None = None
    interaction_type: InteractionType
    status: Status | None = None
    source: ShortText | None = None
    created_at: Instant | None = None
    updated_at: Instant | None = None


class InteractionUpdate(InteractionFields, Clearing):
    """Change the fields of an interaction, and its status if given; never creates one."""

    mutable = frozenset({"interaction_type", "status", *EDITABLE})
    clearable = frozenset(EDITABLE)

    id: UuidText
    # Declared without null, so that null is rejected: an interaction always has both. The defaults are never
    # used and are hidden from the schema, because generated clients would send them.
    interaction_type: Annotated[InteractionType, DEFAULT_UNSEEN] = ""
    status: Annotated[Status, DEFAULT_UNSEEN] = "planned"


class InteractionFix(InteractionUpdate):
    """Change an interaction and its signals: all of it or nothing."""

    signals: Annotated[tuple[SignalFix, ...], Field(max_length=MAX_SIGNALS)] = ()


class InteractionComplete(Payload):
    """planned → done, with the feedback that was given, and the next step planned by the same command."""

    id: UuidText
    occurred_at: Instant | None = None
    feedback: Body | None = None
    next: NextStep | None = None


class InteractionCancel(Payload):
    """planned → canceled."""

    id: UuidText


class InteractionReopen(Payload):
    """done or canceled → planned."""

    id: UuidText


class InteractionDelete(Payload):
    """Delete an interaction; undo restores it under the same id."""

    id: UuidText


class InteractionUndo(Payload):
    """Undo one applied command, identified by its undo token or by its id."""

    undo_token: UndoToken | None = None
    command_id: CommandId | None = None

    @model_validator(mode="after")
    def _one_target(self) -> InteractionUndo:
        if (self.undo_token is None) == (self.command_id is None):
            raise ValueError("give exactly one of undoToken and commandId")
        return self


class InteractionRecomputeNext(Payload):
    """Recompute the projection of one entity from its interactions (repair)."""


class InteractionMarkDue(Payload):
    """Internal to the timers: the scheduled time has been reached (``due``) or has passed (``overdue``)."""

    id: UuidText
    schedule_version: Annotated[int, Field(ge=1, strict=True)]
    phase: Literal["due", "overdue"]


PREFIX: Final = "customers."

ENTITY_UPSERT: Final = "customers.entity.upsert"
ENTITY_ERASE: Final = "customers.entity.erase"
DEAL_UPSERT: Final = "customers.deal.upsert"
TYPE_UPSERT: Final = "customers.interaction_type.upsert"
FLAG_SET: Final = "customers.feature_flag.set"
CREATE: Final = "customers.interaction.create"
FIX: Final = "customers.interaction.fix"
COMPLETE: Final = "customers.interaction.complete"
DELETE: Final = "customers.interaction.delete"
UNDO: Final = "customers.interaction.undo"
RECOMPUTE_NEXT: Final = "customers.interaction.recompute_next"

PAYLOADS: Final[dict[str, type[Payload]]] = {
    ENTITY_UPSERT: EntityUpsert,
    ENTITY_ERASE: EntityErase,
    DEAL_UPSERT: DealUpsert,
    TYPE_UPSERT: InteractionTypeUpsert,
    FLAG_SET: FeatureFlagSet,
    CREATE: InteractionCreate,
    "customers.interaction.update": InteractionUpdate,
    FIX: InteractionFix,
    COMPLETE: InteractionComplete,
    "customers.interaction.cancel": InteractionCancel,
    "customers.interaction.reopen": InteractionReopen,
    DELETE: InteractionDelete,
    UNDO: InteractionUndo,
    RECOMPUTE_NEXT: InteractionRecomputeNext,
    "customers.interaction.mark_due": InteractionMarkDue,
    **SIGNAL_PAYLOADS,
    **DRAFT_PAYLOADS,
}


def canonical_type(name: str) -> str:
    """Canonical (singular) form of a command type; the old plural form is accepted as an alias."""
    if name.startswith("customers.interactions."):
        return "customers.interaction." + name.removeprefix("customers.interactions.")
    return name
