"""The answers of customers, deals, widgets, flags and the deprecated routes, for the OpenAPI document.

They describe and do not filter: an answer is sent as it was put together. The contract tests hold every
answer against them, and a changed member shows as a change of the document.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.outcomes import FirstOutcome

Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Kind = Literal["person", "company"]


class ResponseModel(BaseModel):
    """A closed object with camelCase names."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Mirror(BaseModel):
    """An interaction at an integration; a provider may show further members."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    external_id: str
    external_url: str | None
    sync_status: Literal["synced", "pending", "error", "not_synced"]
    last_synced_at: Moment | None


class Mirrored(ResponseModel):
    """Something that may have mirrors, by integration; without any the member is absent."""

    integrations: Annotated[dict[str, Mirror], Field(alias="_integrations", default_factory=dict)]


class Interaction(Mirrored):
    """An interaction; names and custom values are other systems' and empty here."""

    id: Id
    entity_id: Id
    deal_id: Id | None
    interaction_type: str
    title: str | None
    body: str | None
    status: Literal["planned", "done", "canceled"]
    scheduled_at: Moment | None
    occurred_at: Moment | None
    priority: int | None
    author_user_id: Id | None
    owner_user_id: Id | None
    appearance_icon: str | None
    appearance_color: str | None
    source: str | None
    organization_id: Id
    tenant_id: Id
    created_at: Moment
    updated_at: Moment
    author_name: None
    author_email: None
    deal_title: str | None
    custom_values: None
    interaction_type_label: str | None
    version: int


class InteractionPage(ResponseModel):
    """One page; ``nextCursor`` is there when more follow."""

    items: list[Interaction]
    next_cursor: str = ""


class CommandFate(ResponseModel):
    """Outcome of a command, with its first result as it was published."""

    command_id: str
    command_type: str
    outcome: Literal["applied", "rejected", "no_op"]
    recorded_at: Moment
    result: FirstOutcome


class Undone(ResponseModel):
    """The undo is committed."""

    ok: Literal[True]
    log_id: str


class Customer(ResponseModel):
    """A person or company; what is next and last, and the counts, are derived."""

    id: Id
    kind: Kind
    display_name: str
    primary_email: str | None
    primary_phone: str | None
    owner_user_id: Id | None
    next_interaction_at: Moment | None
    next_interaction_name: str | None
    next_interaction_ref_id: Id | None
    next_interaction_icon: str | None
    next_interaction_color: str | None
    last_interaction_at: Moment | None
    last_interaction_name: str | None
    last_interaction_ref_id: Id | None
    open_count: int
    overdue_count: int
    done_count: int
    version: int
    organization_id: Id
    tenant_id: Id
    created_at: Moment
    updated_at: Moment


class CustomerPage(ResponseModel):
    """One page; ``nextCursor`` is there when more follow."""

    items: list[Customer]
    next_cursor: str = ""


class Deal(ResponseModel):
    """One deal of a customer."""

    id: Id
    entity_id: Id
    title: str
    status: str | None
    version: int
    created_at: Moment
    updated_at: Moment


class DealPage(ResponseModel):
    """One page; ``nextCursor`` is there when more follow."""

    items: list[Deal]
    next_cursor: str = ""


class Activity(Mirrored):
    """An activity as old clients read it."""

    id: Id
    activity_type: str
    subject: str | None
    body: str | None
    occurred_at: Moment | None
    created_at: Moment
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
    """A page by number."""

    items: list[Activity]


class TodoCustomer(ResponseModel):
    """Whose todo it is."""

    id: Id
    display_name: str | None
    kind: Kind | None


class Todo(Mirrored):
    """A todo as old clients read it; of a link that is not moved only the link is known."""

    id: Id
    todo_id: Id
    todo_source: str
    todo_title: str | None
    todo_is_done: bool | None
    todo_priority: int | None
    todo_severity: None
    todo_description: str | None
    todo_due_at: Moment | None
    todo_custom_values: dict[str, Any] | None
    todo_organization_id: Id | None
    todo_updated_at: Moment | None
    organization_id: Id
    tenant_id: Id
    created_at: Moment
    external_href: None
    customer: TodoCustomer


class TodoPage(_OldPage):
    """A page by number."""

    items: list[Todo]


class TodoSummary(Mirrored):
    """A todo inside the detail of its customer."""

    id: Id
    todo_id: Id
    todo_source: str
    created_at: Moment
    created_by_user_id: Id | None
    title: str | None
    is_done: bool | None
    priority: int | None
    severity: None
    description: str | None
    due_at: Moment | None
    todo_organization_id: Id | None
    custom_values: dict[str, Any] | None


class Viewer(ResponseModel):
    """Who asks."""

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
    """A person with what was asked to be included."""

    person: Customer


class CompanyDetail(_Detail):
    """A company with what was asked to be included."""

    company: Customer


class NextItem(ResponseModel):
    """A customer of the widget of next interactions."""

    id: Id
    display_name: str
    kind: Kind
    organization_id: Id
    next_interaction_at: Moment
    next_interaction_name: str
    next_interaction_icon: str | None
    next_interaction_color: str | None
    owner_user_id: Id | None


class NextWidget(ResponseModel):
    """The widget of next interactions, overdue ones first."""

    items: list[NextItem]
    now: Moment


class TodoOwner(ResponseModel):
    """The customer of a todo in the widget."""

    id: Id | None
    display_name: str | None
    kind: Kind | None
    owner_user_id: Id | None


class TodoItem(Mirrored):
    """A todo of the widget."""

    id: Id
    todo_id: Id
    todo_source: str
    todo_title: str | None
    created_at: Moment
    organization_id: Id
    entity: TodoOwner


class TodoWidget(ResponseModel):
    """The widget of open todos."""

    items: list[TodoItem]


class TypeItem(ResponseModel):
    """An entry of the dictionary."""

    interaction_type: str
    label: str
    icon: str | None
    color: str | None
    actionable: bool


class TypeList(ResponseModel):
    """The dictionary of the organization."""

    items: list[TypeItem]
    strict: bool


class FlagItem(ResponseModel):
    """A feature flag; ``chosen`` tells that somebody set it."""

    flag: str
    enabled: bool
    chosen: bool


class FlagList(ResponseModel):
    """Every flag of the tenant."""

    items: list[FlagItem]


class WarningItem(ResponseModel):
    """What a person should look at; ``resolution`` was chosen and is being carried out."""

    id: Id
    integration_id: str
    interaction_id: Id | None
    entity_id: Id | None
    external_id: str | None
    kind: str
    field: str | None
    detail: str
    local_value: Any
    remote_value: Any
    resolution: str | None
    created_at: Moment
    updated_at: Moment


class WarningList(ResponseModel):
    """Open warnings, newest first."""

    items: list[WarningItem]


class Decided(ResponseModel):
    """What became of a decision: these warnings took it; the others were closed or have changed since."""

    ok: Literal[True]
    taken: list[Id]
    left: list[Id]


class IntegrationChangeDone(ResponseModel):
    """The integration was changed; one that is not `active` goes on once it is resumed."""

    ok: Literal[True]
    state: str


class IntegrationRemoved(ResponseModel):
    """The integration was removed; so many mirrors stay at the provider."""

    ok: Literal[True]
    mirrors_left: int


class NextInteraction(ResponseModel):
    """The stored projection."""

    interaction_id: Id
    at: Moment
    name: str
    icon: str | None
    color: str | None


class Candidate(ResponseModel):
    """A planned interaction with a schedule, and why it wins or loses."""

    place: int
    interaction_id: Id
    interaction_type: str
    title: str | None
    scheduled_at: Moment
    priority: int | None
    created_at: Moment
    wins: bool
    decided_by: Literal["scheduledAt", "priority", "createdAt", "id"] = "id"
    reason: str


class NotCandidates(ResponseModel):
    """How many interactions are no candidates, and why."""

    planned_without_schedule: int
    done: int
    canceled: int


class Explanation(ResponseModel):
    """Why an interaction is the next one."""

    entity_id: Id
    entity_version: int
    next_interaction: NextInteraction | None
    order: list[str]
    candidates: list[Candidate]
    candidate_count: int
    not_candidates: NotCandidates


def responses_of(shape: type[ResponseModel], **further: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: its 200, and further statuses with their descriptions."""
    others: dict[int | str, dict[str, Any]] = {
        int(status.removeprefix("status_")): {"description": text} for status, text in further.items()
    }
    return {200: {"model": shape}, **others}
