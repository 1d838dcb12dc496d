"""Models of the ``data`` of each command type: closed, with camelCase names (spec "API Contracts").

JSON distinguishes "not given" from ``null`` (clear the field). Avro cannot: there ``null`` means "not given",
and ``clear`` lists the fields to clear. JSON publishers can use ``clear`` as well.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from schemas.flags import FlagName
from schemas.interaction_fields import EDITABLE, InteractionFields
from schemas.values import (
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


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


_DEFAULT_UNSEEN: Final = Field(json_schema_extra=_without_default)


class Payload(BaseModel):
    """Fields common to the data of all commands."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False, strict=False
    )

    #: Fields that a command of this type may change, by their Python names.
    mutable: ClassVar[frozenset[str]] = frozenset()
    #: Mutable fields that can be cleared.
    clearable: ClassVar[frozenset[str]] = frozenset()
    #: Fields required for a new row and optional in a change. Avro, which cannot omit a string, always
    #: requires them.
    required_when_new: ClassVar[frozenset[str]] = frozenset()
    #: For the rules, a field that is not given differs from its default.
    partial: ClassVar[bool] = False

    entity_id: UuidText | None = None
    source_timestamp: Instant | None = None
    validate_only: Flag = False
    expected_version: Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)] | None = None
    sync_origin: ShortText | None = None

    def changes(self) -> dict[str, Any]:
        """Mutable fields that the publisher set, by Python name; ``None`` clears a field."""
        given = self.model_fields_set
        return {name: getattr(self, name) for name in self.mutable if name in given}

    def missing_when_new(self) -> list[str]:
        """Required fields of a new row that are missing, by their names in ``data``."""
        return sorted(to_camel(name) for name in self.required_when_new - self.model_fields_set)


class Clearing(Payload):
    """Base of payloads whose optional fields can be cleared by name."""

    partial = True

    clear: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known_names(self) -> Clearing:
        names = {to_camel(name) for name in self.clearable} if self.clear else set()
        for name in self.clear:
            if name not in names:
                raise ValueError(f"clear can only list {', '.join(sorted(names))}")
        return self

    def changes(self) -> dict[str, Any]:
        changes = Payload.changes(self)
        if self.clear:
            wanted = set(self.clear)
            changes.update({name: None for name in self.clearable if to_camel(name) in wanted})
        return changes


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
    """

    id: UuidText | None = None
    interaction_type: InteractionType
    status: Status | None = None
    source: ShortText | None = None
    created_at: Instant | None = None


class InteractionUpdate(InteractionFields, Clearing):
    """Change the fields of an interaction, and its status if given; never creates one."""

    mutable = frozenset({"interaction_type", "status", *EDITABLE})
    clearable = frozenset(EDITABLE)

    id: UuidText
    # Declared without null, so that null is rejected: an interaction always has both. The defaults are never
    # used and are hidden from the schema, because generated clients would send them.
    interaction_type: Annotated[InteractionType, _DEFAULT_UNSEEN] = ""
    status: Annotated[Status, _DEFAULT_UNSEEN] = "planned"


class InteractionComplete(Payload):
    """planned → done."""

    id: UuidText
    occurred_at: Instant | None = None


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
DEAL_UPSERT: Final = "customers.deal.upsert"
TYPE_UPSERT: Final = "customers.interaction_type.upsert"
FLAG_SET: Final = "customers.feature_flag.set"
CREATE: Final = "customers.interaction.create"
UNDO: Final = "customers.interaction.undo"
RECOMPUTE_NEXT: Final = "customers.interaction.recompute_next"

PAYLOADS: Final[dict[str, type[Payload]]] = {
    ENTITY_UPSERT: EntityUpsert,
    DEAL_UPSERT: DealUpsert,
    TYPE_UPSERT: InteractionTypeUpsert,
    FLAG_SET: FeatureFlagSet,
    CREATE: InteractionCreate,
    "customers.interaction.update": InteractionUpdate,
    "customers.interaction.complete": InteractionComplete,
    "customers.interaction.cancel": InteractionCancel,
    "customers.interaction.reopen": InteractionReopen,
    "customers.interaction.delete": InteractionDelete,
    UNDO: InteractionUndo,
    RECOMPUTE_NEXT: InteractionRecomputeNext,
    "customers.interaction.mark_due": InteractionMarkDue,
}


def canonical_type(name: str) -> str:
    """Canonical (singular) form of a command type; the old plural form is accepted as an alias."""
    if name.startswith("customers.interactions."):
        return "customers.interaction." + name.removeprefix("customers.interactions.")
    return name
