"""Values of the event and state topics (Avro; camelCase by alias).

For speed, the rules build these values as plain dicts; a test validates every such dict against its model.
Instants are RFC 3339 text in UTC with microseconds.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

InstantText = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z$", json_schema_extra={"format": "date-time"}
    ),
]


class Published(BaseModel):
    """Base of all published values: a closed model with camelCase names."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=False, strict=True
    )


class InteractionSnapshot(Published):
    """Interaction in its API form (spec "CustomerInteraction"); the value of the state topic."""

    id: str
    entity_id: str
    deal_id: str | None = None
    interaction_type: str
    title: str | None = None
    body: str | None = None
    feedback: str | None = None
    status: str
    scheduled_at: InstantText | None = None
    occurred_at: InstantText | None = None
    priority: int | None = None
    author_user_id: str | None = None
    owner_user_id: str | None = None
    appearance_icon: str | None = None
    appearance_color: str | None = None
    source: str | None = None
    organization_id: str
    tenant_id: str
    version: int
    created_at: InstantText
    updated_at: InstantText


def members_of(model: type[Published]) -> dict[str, str]:
    """Map the members of a value to the model's fields."""
    return {to_camel(name): name for name in model.model_fields}


def instants_of(model: type[Published]) -> tuple[str, ...]:
    """Return the members of a value that are instants."""
    return tuple(member for member, name in members_of(model).items() if name.endswith("_at"))


SNAPSHOT: Final = members_of(InteractionSnapshot)
SNAPSHOT_INSTANTS: Final = instants_of(InteractionSnapshot)


class EntitySnapshot(Published):
    """Person or company, without its projection."""

    id: str
    kind: str
    display_name: str
    primary_email: str | None = None
    primary_phone: str | None = None
    owner_user_id: str | None = None
    organization_id: str
    tenant_id: str
    created_at: InstantText
    updated_at: InstantText


class DealSnapshot(Published):
    """Deal of one entity; the value of its state topic."""

    id: str
    entity_id: str
    title: str
    status: str | None = None
    organization_id: str
    tenant_id: str
    version: int
    created_at: InstantText
    updated_at: InstantText


class InteractionTypeSnapshot(Published):
    """Entry of the dictionary of one tenant and organization; the value of its state topic."""

    code: str
    label: str
    icon: str | None = None
    color: str | None = None
    actionable: bool
    organization_id: str
    tenant_id: str


class NextInteractionSnapshot(Published):
    """Next interaction of one entity: its nearest planned interaction."""

    interaction_id: str
    at: InstantText
    name: str
    icon: str | None = None
    color: str | None = None


class InteractionEvent(Published):
    """One change of one interaction; also the value of ``due`` and ``overdue`` events.

    ``version`` is the version of the interaction after the change; a deletion has its own, so that versions
    only increase. ``recordedAt`` is the time at which the command was appended to the topic,
    ``sourceTimestamp`` the time of the change at its source, ``occurredAt`` the time at which the
    interaction took place. ``before`` is null when the interaction is created, ``after`` when it is deleted.
    ``changedFields`` lists the fields that differ between the two, without ``version`` and ``updatedAt``; it
    is empty when either is null.
    """

    id: str
    entity_id: str
    tenant_id: str
    organization_id: str
    interaction_type: str
    status: str
    source: str | None = None
    version: int
    entity_version: int
    command_id: str
    reason: str
    sync_origin: str | None = None
    actor_id: str | None = None
    recorded_at: InstantText
    source_timestamp: InstantText
    occurred_at: InstantText | None = None
    before: InteractionSnapshot | None = None
    after: InteractionSnapshot | None = None
    changed_fields: list[str]


class NextInteractionUpdated(Published):
    """The next interaction of one entity (``id``) changed.

    ``reason`` is one of created, updated, completed, canceled, reopened, deleted, undo, recompute and
    relabeled.
    """

    id: str
    entity_id: str
    tenant_id: str
    organization_id: str
    entity_version: int
    command_id: str
    reason: str
    sync_origin: str | None = None
    recorded_at: InstantText
    next_interaction_id: str | None = None
    previous: NextInteractionSnapshot | None = None
    next: NextInteractionSnapshot | None = None


class NextInteractionState(Published):
    """Value of the compacted topic of next interactions; a tombstone when there is none."""

    entity_id: str
    tenant_id: str
    organization_id: str
    entity_version: int
    next: NextInteractionSnapshot | None = None


class LastInteractionSnapshot(Published):
    """The done interaction of one entity that occurred last."""

    interaction_id: str
    at: InstantText
    name: str


class EntityState(EntitySnapshot):
    """Value of the compacted topic of customers: the person or company with its projection.

    ``openCount`` is the number of planned interactions, ``overdueCount`` that of those whose ``overdue``
    event was published, ``doneCount`` that of done ones.
    """

    entity_version: int
    next: NextInteractionSnapshot | None = None
    last: LastInteractionSnapshot | None = None
    open_count: int
    overdue_count: int
    done_count: int


class RecordEvent(Published):
    """Fields common to the changes of customers, deals and interaction types.

    ``changedFields`` lists the fields that differ, without ``version`` and ``updatedAt``; it is empty when
    the record is new.
    """

    id: str
    entity_id: str
    tenant_id: str
    organization_id: str
    entity_version: int | None = None
    command_id: str
    sync_origin: str | None = None
    actor_id: str | None = None
    recorded_at: InstantText
    source_timestamp: InstantText
    changed_fields: list[str]


class EntityEvent(RecordEvent):
    """A person or company is new or changed; ``before`` is null when it is new."""

    before: EntitySnapshot | None = None
    after: EntitySnapshot


class EntityErased(Published):
    """A customer was erased with all its rows; ``id`` is the customer's, and is never used again.

    The event counts what was erased and names nothing of it. ``mirrors`` says what happens to the objects at
    providers: ``delete`` or ``leave``.
    """

    id: str
    entity_id: str
    tenant_id: str
    organization_id: str
    entity_version: int
    command_id: str
    sync_origin: str | None = None
    actor_id: str | None = None
    recorded_at: InstantText
    source_timestamp: InstantText
    mirrors: str
    interactions: int
    deals: int
    signals: int
    drafts: int


class DealEvent(RecordEvent):
    """A deal is new or changed; ``before`` is null when it is new."""

    before: DealSnapshot | None = None
    after: DealSnapshot


class InteractionTypeEvent(RecordEvent):
    """An entry of a dictionary is new or changed; ``before`` is null when it is new.

    ``id`` is the code. ``entityId`` is the organization, which is the record key.
    """

    before: InteractionTypeSnapshot | None = None
    after: InteractionTypeSnapshot


CREATED: Final = "customers.interaction.created"
UPDATED: Final = "customers.interaction.updated"
COMPLETED: Final = "customers.interaction.completed"
CANCELED: Final = "customers.interaction.canceled"
REOPENED: Final = "customers.interaction.reopened"
DELETED: Final = "customers.interaction.deleted"
REVERTED: Final = "customers.interaction.reverted"
DUE: Final = "customers.interaction.due"
OVERDUE: Final = "customers.interaction.overdue"
NEXT_INTERACTION_UPDATED: Final = "customers.next_interaction.updated"
ENTITY_ERASED: Final = "customers.entity.erased"

#: Kind of record → model of its events, of type ``customers.<kind>.created`` and ``.updated``.
RECORD_EVENTS: Final[dict[str, type[RecordEvent]]] = {
    "entity": EntityEvent,
    "deal": DealEvent,
    "interaction_type": InteractionTypeEvent,
}
