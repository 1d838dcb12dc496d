"""Response models of the deprecated activity and todo lists."""

from __future__ import annotations

from typing import Any

from api.response_models import Id, Kind, Mirrored, ResponseModel, Timestamp


class Activity(Mirrored):
    """An activity as old clients read it."""

    id: Id
    activity_type: str
    subject: str | None
    body: str | None
    occurred_at: Timestamp | None
    created_at: Timestamp
    appearance_icon: str | None
    appearance_color: str | None
    entity_id: Id
    author_user_id: Id | None
    author_name: None
    author_email: None
    deal_id: Id | None
    deal_title: str | None
    custom_values: None
    activity_type_label: str | None


class _OldPage(ResponseModel):
    total: int
    page: int
    page_size: int
    total_pages: int


class ActivityPage(_OldPage):
    """A numbered page."""

    items: list[Activity]


class TodoCustomer(ResponseModel):
    """The customer of a todo."""

    id: Id
    display_name: str | None
    kind: Kind | None


class Todo(Mirrored):
    """A todo as old clients read it. For a link that is not moved yet, only the link is known."""

    id: Id
    todo_id: Id
    todo_source: str
    todo_title: str | None
    todo_is_done: bool | None
    todo_priority: int | None
    todo_severity: None
    todo_description: str | None
    todo_due_at: Timestamp | None
    todo_custom_values: dict[str, Any] | None
    todo_organization_id: Id | None
    todo_updated_at: Timestamp | None
    organization_id: Id
    tenant_id: Id
    created_at: Timestamp
    external_href: None
    customer: TodoCustomer


class TodoPage(_OldPage):
    """A numbered page."""

    items: list[Todo]
