"""The ``data`` of every command type: closed models with camelCase names (spec "API Contracts").

JSON tells "not given" from ``null`` (clear the field). Avro cannot: there ``null`` means not given,
and ``clear`` lists the fields to empty; JSON publishers may use ``clear`` too.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from schemas.flags import FlagName
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
    Priority,
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
    """What all command data share."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False, strict=False
    )

    #: Fields that a command of this type may change, by their Python names.
    mutable: ClassVar[frozenset[str]] = frozenset()
    #: Those of them that may be emptied.
    clearable: ClassVar[frozenset[str]] = frozenset()
    #: Fields that a new row must have and a change may leave out. Avro, which cannot leave out a text,
    #: requires them always.
    required_when_new: ClassVar[frozenset[str]] = frozenset()

    entity_id: UuidText | None = None
    source_timestamp: Instant | None = None
    validate_only: Flag = False
    expected_version: Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)] | None = None
    sync_origin: ShortText | None = None

    def changes(self) -> dict[str, Any]:
        """The mutable fields that the publisher set, by Python name; ``None`` empties a field."""
        given = self.model_fields_set
        return {name: getattr(self, name) for name in self.mutable if name in given}

    def missing_when_new(self) -> list[str]:
        """The names in ``data`` of the fields that a new row would lack."""
        return sorted(to_camel(name) for name in self.required_when_new - self.model_fields_set)


class Clearing(Payload):
    """A payload whose optional fields can be emptied by name."""

    clear: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _known_names(self) -> Clearing:
        names = {to_camel(name) for name in self.clearable} if self.clear else set()
        for name in self.clear:
            if name not in names:
                raise ValueError(f"clear may name only {', '.join(sorted(names))}")
        return self

    def changes(self) -> dict[str, Any]:
        changes = super().changes()
        if self.clear:
            wanted = set(self.clear)
            changes.update({name: None for name in self.clearable if to_camel(name) in wanted})
        return changes


class EntityUpsert(Clearing):
    """A person or company; fields not given keep their value. A new one needs a ``displayName``."""

    mutable = frozenset({"display_name", "primary_email", "primary_phone", "owner_user_id"})
    clearable = mutable - {"display_name"}
    required_when_new = frozenset({"display_name"})

    id: UuidText
    kind: EntityKind
    # Not nullable: a customer always has a name. Declared without null so that null is refused.
    display_name: Name = ""
    primary_email: Email | None = None
    primary_phone: ShortText | None = None
    owner_user_id: UuidText | None = None


class DealUpsert(Payload):
    """A deal of one entity; fields not given keep their value. A new one needs a ``title``."""

    mutable = frozenset({"title", "status"})
    required_when_new = frozenset({"title"})

    id: UuidText
    # Not nullable: a deal always has a title. Declared without null so that null is refused.
    title: Title = ""
    status: ShortText | None = None


class InteractionTypeUpsert(Payload):
    """An entry of the tenant's dictionary; ``strict`` closes (or opens) the whole dictionary."""

    interaction_type: InteractionType
    label: Label | None = None
    icon: ShortText | None = None
    color: Color | None = None
    actionable: Flag | None = None
    strict: Flag | None = None


class FeatureFlagSet(Payload):
    """Switch a feature flag of the whole tenant on or off (spec "Configuration")."""

    flag: FlagName
    enabled: Flag


class InteractionCreate(Payload):
    """Plan an interaction, or log one that happened (``status: done``, or ``occurredAt`` alone).

    ``createdAt`` is for interactions that come from another system; one in the future counts as now.
    """

    id: UuidText | None = None
    interaction_type: InteractionType
    title: Title | None = None
    body: Body | None = None
    status: Status | None = None
    scheduled_at: Instant | None = None
    occurred_at: Instant | None = None
    priority: Priority | None = None
    deal_id: UuidText | None = None
    author_user_id: UuidText | None = None
    owner_user_id: UuidText | None = None
    appearance_icon: ShortText | None = None
    appearance_color: Color | None = None
    source: ShortText | None = None
    created_at: Instant | None = None


class InteractionUpdate(Clearing):
    """Change fields of an interaction, and its status with them; it never creates one."""

    mutable = frozenset(
        {
            "interaction_type",
            "status",
            "title",
            "body",
            "scheduled_at",
            "occurred_at",
            "priority",
            "deal_id",
            "author_user_id",
            "owner_user_id",
            "appearance_icon",
            "appearance_color",
        }
    )
    clearable = mutable - {"interaction_type", "status"}

    id: UuidText
    # Not nullable: an interaction always has both. Declared without null so that null is refused; the
    # default is never used, and a schema that showed it would make generated clients send it.
    interaction_type: Annotated[InteractionType, _DEFAULT_UNSEEN] = ""
    status: Annotated[Status, _DEFAULT_UNSEEN] = "planned"
    title: Title | None = None
    body: Body | None = None
    scheduled_at: Instant | None = None
    occurred_at: Instant | None = None
    priority: Priority | None = None
    deal_id: UuidText | None = None
    author_user_id: UuidText | None = None
    owner_user_id: UuidText | None = None
    appearance_icon: ShortText | None = None
    appearance_color: Color | None = None


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
    """Remove an interaction for good; its undo brings it back under the same id."""

    id: UuidText


class InteractionUndo(Payload):
    """Take back one applied command, named by its undo token or by its id."""

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
    """Internal to the timers: the schedule's moment has come (``due``) or has passed (``overdue``)."""

    id: UuidText
    schedule_version: Annotated[int, Field(ge=1, strict=True)]
    phase: Literal["due", "overdue"]


PREFIX: Final = "customers."

PAYLOADS: Final[dict[str, type[Payload]]] = {
    "customers.entity.upsert": EntityUpsert,
    "customers.deal.upsert": DealUpsert,
    "customers.interaction_type.upsert": InteractionTypeUpsert,
    "customers.feature_flag.set": FeatureFlagSet,
    "customers.interaction.create": InteractionCreate,
    "customers.interaction.update": InteractionUpdate,
    "customers.interaction.complete": InteractionComplete,
    "customers.interaction.cancel": InteractionCancel,
    "customers.interaction.reopen": InteractionReopen,
    "customers.interaction.delete": InteractionDelete,
    "customers.interaction.undo": InteractionUndo,
    "customers.interaction.recompute_next": InteractionRecomputeNext,
    "customers.interaction.mark_due": InteractionMarkDue,
}


def canonical_type(name: str) -> str:
    """The singular form of a command type; the old plural is accepted as its alias."""
    if name.startswith("customers.interactions."):
        return "customers.interaction." + name.removeprefix("customers.interactions.")
    return name
