"""Response models of people and companies."""

from __future__ import annotations

from typing import Any, Literal

from api.response_models import Id, Kind, Mirrored, ResponseModel, Timestamp
from api.routes.deal_models import Deal
from api.routes.deprecated_models import Activity
from api.routes.interaction_models import Interaction


class Customer(ResponseModel):
    """A person or company. The next and last interaction and the counts are derived."""

    id: Id
    kind: Kind
    display_name: str
    primary_email: str | None
    primary_phone: str | None
    owner_user_id: Id | None
    next_interaction_at: Timestamp | None
    next_interaction_name: str | None
    next_interaction_ref_id: Id | None
    next_interaction_icon: str | None
    next_interaction_color: str | None
    last_interaction_at: Timestamp | None
    last_interaction_name: str | None
    last_interaction_ref_id: Id | None
    open_count: int
    overdue_count: int
    done_count: int
    version: int
    organization_id: Id
    tenant_id: Id
    created_at: Timestamp
    updated_at: Timestamp


class CustomerPage(ResponseModel):
    """One page, with ``nextCursor`` if more follow."""

    items: list[Customer]
    next_cursor: str = ""


class TodoSummary(Mirrored):
    """A todo in the detail of its customer."""

    id: Id
    todo_id: Id
    todo_source: str
    created_at: Timestamp
    created_by_user_id: Id | None
    title: str | None
    is_done: bool | None
    priority: int | None
    severity: None
    description: str | None
    due_at: Timestamp | None
    todo_organization_id: Id | None
    custom_values: dict[str, Any] | None


class Viewer(ResponseModel):
    """The caller."""

    user_id: str
    name: None
    email: None


class _Detail(ResponseModel):
    interaction_mode: Literal["canonical", "legacy"]
    interactions: list[Interaction]
    activities: list[Activity]
    todos: list[TodoSummary]
    deals: list[Deal]
    counts: dict[str, int]
    viewer: Viewer


class PersonDetail(_Detail):
    """A person with the included parts."""

    person: Customer


class CompanyDetail(_Detail):
    """A company with the included parts."""

    company: Customer
