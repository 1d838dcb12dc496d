"""Rows that the rules read and write, as values."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from msgspec import Struct

Outcome = Literal["applied", "rejected", "duplicate", "no_op"]


class Identified(Struct, frozen=True, omit_defaults=True, gc=False):
    """Record with an id that is unique over all tenants."""

    id: str
    tenant_id: str
    organization_id: str

    @property
    def key(self) -> str:
        """Key of the record among those of its kind."""
        return self.id


class Interaction(Identified, frozen=True, omit_defaults=True, gc=False):
    """One row of ``customer_interactions`` (spec "CustomerInteraction").

    :param version: 1 when created; incremented by every applied change, including the deletion.
    :param schedule_version: the ``version`` at which ``scheduled_at`` last changed; identifies the schedule
        to the timers.
    :param due_phase: 0: not due yet; 1: ``due`` was published; 2: ``overdue`` was published.
    :param status_as_of: source timestamp of the last accepted change of ``status``; likewise
        ``scheduled_as_of`` and ``occurred_as_of`` (last-write-wins, spec "Conflict policy").
    """

    entity_id: str
    interaction_type: str
    status: str
    status_as_of: datetime
    scheduled_as_of: datetime
    occurred_as_of: datetime
    created_at: datetime
    updated_at: datetime
    deal_id: str | None = None
    title: str | None = None
    body: str | None = None
    feedback: str | None = None
    scheduled_at: datetime | None = None
    occurred_at: datetime | None = None
    priority: int | None = None
    author_user_id: str | None = None
    owner_user_id: str | None = None
    appearance_icon: str | None = None
    appearance_color: str | None = None
    source: str | None = None
    version: int = 1
    schedule_version: int = 1
    due_phase: int = 0


class NextInteraction(Struct, frozen=True, omit_defaults=True, gc=False):
    """Projection columns ``next_interaction_*`` of one entity."""

    interaction_id: str
    at: datetime
    name: str
    icon: str | None
    color: str | None


class LastInteraction(Struct, frozen=True, omit_defaults=True, gc=False):
    """Projection columns ``last_interaction_*``: the done interaction that occurred last."""

    interaction_id: str
    at: datetime
    name: str


class Entity(Identified, frozen=True, omit_defaults=True, gc=False):
    """One row of ``customer_entities``: a person or company, and its projection.

    :param entity_version: incremented by every applied command on the entity or its interactions.
    :param open_count: number of planned interactions; ``overdue_count``: those whose ``overdue`` event was
        published; ``done_count``: done interactions.
    """

    kind: str
    display_name: str
    created_at: datetime
    updated_at: datetime
    primary_email: str | None = None
    primary_phone: str | None = None
    owner_user_id: str | None = None
    entity_version: int = 1
    open_count: int = 0
    overdue_count: int = 0
    done_count: int = 0
    next: NextInteraction | None = None
    last: LastInteraction | None = None


class Deal(Identified, frozen=True, omit_defaults=True, gc=False):
    """One row of ``customer_deals``.

    :param version: incremented by every applied change of the deal.
    """

    entity_id: str
    title: str
    created_at: datetime
    updated_at: datetime
    status: str | None = None
    version: int = 1


class Signal(Identified, frozen=True, omit_defaults=True, gc=False, tag="signal"):
    """One row of ``signals``: something that an interaction revealed and that asks for an action.

    :param person_id: the person to contact; ``None``: the customer.
    :param resolved_by: the user who last resolved it; ``channel``, ``instruction`` and ``language``: as given
        then.
    :param resolution: version that the last ``resolve`` left; identifies the resolution.
    :param requested_at: time of the last ``resolve``.
    :param failure: code of the reason why the last resolution failed.
    :param version: the entity's version after the last change of the signal: it only increases, even if the
        signal is deleted and restored.
    """

    interaction_id: str
    entity_id: str
    kind: str
    title: str
    status: str
    detected_at: datetime
    created_at: datetime
    updated_at: datetime
    version: int
    body: str | None = None
    person_id: str | None = None
    confidence: int | None = None
    channel: str | None = None
    instruction: str | None = None
    language: str | None = None
    resolution: int | None = None
    requested_at: datetime | None = None
    resolved_by: str | None = None
    draft_id: str | None = None
    resolved_at: datetime | None = None
    failure: str | None = None
    failure_detail: str | None = None


class Draft(Identified, frozen=True, omit_defaults=True, gc=False, tag="draft"):
    """One row of ``generated_drafts``: a message for a person to edit and send.

    :param user_id: the user who resolved the signal.
    :param writer: the writer of the text; ``template_id``, ``model`` and ``prompt_hash``: its provenance.
    :param version: as that of a signal.
    """

    signal_id: str
    interaction_id: str
    entity_id: str
    person_id: str
    channel: str
    body: str
    language: str
    status: str
    writer: str
    created_at: datetime
    updated_at: datetime
    version: int
    user_id: str | None = None
    subject: str | None = None
    template_id: str | None = None
    model: str | None = None
    prompt_hash: str | None = None
    sent_at: datetime | None = None


class SignalOutcome(Identified, frozen=True, omit_defaults=True, gc=False, tag="outcome"):
    """One row of ``signal_outcomes``: an entry of the history of a signal.

    :param outcome: ``resolved``, ``failed``, ``skipped``, ``reopened`` or ``reverted``.
    :param detail: the reason, if one was given.
    """

    signal_id: str
    interaction_id: str
    entity_id: str
    outcome: str
    command_id: str
    created_at: datetime
    detail: str | None = None
    draft_id: str | None = None
    actor_id: str | None = None


class ErasedEntity(Struct, frozen=True, omit_defaults=True, gc=False):
    """One row of ``erased_entities``: a customer that was erased; its id is never used again.

    :param entity_version: the last version of the entity.
    :param command_id: the command that erased it.
    :param mirrors: policy for the objects at providers: ``delete`` or ``leave``.
    """

    entity_id: str
    tenant_id: str
    organization_id: str
    entity_version: int
    command_id: str
    mirrors: str
    erased_at: datetime

    @property
    def key(self) -> str:
        """Key of the record among those of its kind."""
        return self.entity_id


class ErasedInteraction(Struct, frozen=True, gc=False):
    """One row of ``erased_interactions``: an interaction that was erased with its customer.

    An id that another customer used afterwards is erased with that customer too: the row names the last.

    :param version: its last version, that of its erasure; versions of the id continue from it.
    """

    interaction_id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    version: int

    @property
    def key(self) -> str:
        """Key of the record among those of its kind."""
        return self.interaction_id


class RetiredInteraction(Struct, frozen=True, gc=False):
    """One row of ``dropped_deletions``: a next step that the undo of its completion deleted.

    :param retired_version: version of its deletion; versions of the id continue from it.
    """

    interaction_id: str
    tenant_id: str
    organization_id: str
    retired_version: int
    rolled_back: bool = False

    @property
    def key(self) -> str:
        """Key of the record among those of its kind."""
        return self.interaction_id


class TypeEntry(Struct, frozen=True, omit_defaults=True, gc=False):
    """One row of ``interaction_types``: an entry of the dictionary of a tenant and organization."""

    tenant_id: str
    organization_id: str
    code: str
    label: str
    icon: str | None = None
    color: str | None = None
    actionable: bool = True

    @property
    def key(self) -> tuple[str, str, str]:
        """Key of the record among those of its kind."""
        return self.tenant_id, self.organization_id, self.code


class Dictionary(Struct, frozen=True, gc=False):
    """One row of ``interaction_dictionaries``.

    :param strict: reject unknown types instead of adding them.
    """

    tenant_id: str
    organization_id: str
    strict: bool

    @property
    def key(self) -> tuple[str, str]:
        """Key of the record among those of its kind."""
        return self.tenant_id, self.organization_id


class FlagValue(Struct, frozen=True, gc=False):
    """One row of ``feature_flags``.

    :param organization_id: the organization from which the flag was set last; it applies to the whole tenant.
    """

    tenant_id: str
    organization_id: str
    flag: str
    enabled: bool
    updated_at: datetime

    @property
    def key(self) -> tuple[str, str]:
        """Key of the record among those of its kind."""
        return self.tenant_id, self.flag


#: Kinds of stored records, in the order of foreign keys.
KINDS: Final = (
    Entity,
    Deal,
    Interaction,
    Signal,
    Draft,
    SignalOutcome,
    ErasedEntity,
    ErasedInteraction,
    RetiredInteraction,
    TypeEntry,
    Dictionary,
    FlagValue,
)
