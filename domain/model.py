"""Rows that the rules read and write, as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from msgspec import Struct

Outcome = Literal["applied", "rejected", "duplicate", "no_op"]


class Interaction(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One row of ``customer_interactions`` (spec "CustomerInteraction").

    :param version: 1 when created; incremented by every applied change, including the deletion.
    :param schedule_version: the ``version`` at which ``scheduled_at`` last changed; identifies the schedule
        to the timers.
    :param due_phase: 0: not due yet; 1: ``due`` was published; 2: ``overdue`` was published.
    :param status_as_of: source timestamp of the last accepted change of ``status``; likewise
        ``scheduled_as_of`` and ``occurred_as_of`` (last-write-wins, spec "Conflict policy").
    """

    id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    interaction_type: str
    status: str
    deal_id: str | None = None
    title: str | None = None
    body: str | None = None
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
    status_as_of: datetime
    scheduled_as_of: datetime
    occurred_as_of: datetime
    created_at: datetime
    updated_at: datetime


class NextInteraction(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Projection columns ``next_interaction_*`` of one entity."""

    interaction_id: str
    at: datetime
    name: str
    icon: str | None
    color: str | None


class LastInteraction(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Projection columns ``last_interaction_*``: the done interaction that occurred last."""

    interaction_id: str
    at: datetime
    name: str


class Entity(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One row of ``customer_entities``: a person or company, and its projection.

    :param entity_version: incremented by every applied command on the entity or its interactions.
    :param open_count: number of planned interactions; ``overdue_count``: those whose ``overdue`` event was
        published; ``done_count``: done interactions.
    """

    id: str
    tenant_id: str
    organization_id: str
    kind: str
    display_name: str
    primary_email: str | None = None
    primary_phone: str | None = None
    owner_user_id: str | None = None
    entity_version: int = 1
    next: NextInteraction | None = None
    last: LastInteraction | None = None
    open_count: int = 0
    overdue_count: int = 0
    done_count: int = 0
    created_at: datetime
    updated_at: datetime


class Deal(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One row of ``customer_deals``.

    :param version: incremented by every applied change of the deal.
    """

    id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    title: str
    status: str | None = None
    version: int = 1
    created_at: datetime
    updated_at: datetime


class TypeEntry(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One row of ``interaction_types``, without its tenant and organization."""

    code: str
    label: str
    icon: str | None = None
    color: str | None = None
    actionable: bool = True


@dataclass(slots=True)
class Dictionary:
    """The interaction types of one tenant and organization.

    :param strict: reject unknown types instead of adding them.
    """

    strict: bool = False
    entries: dict[str, TypeEntry] = field(default_factory=dict)
