"""Tools that read: customers, interactions, signals, drafts, and the outcome of a command."""

from __future__ import annotations

from typing import Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from api.assistant.results import WriteResult
from api.assistant.tools.arguments import RequestKey
from api.assistant.tools.tool import HttpRequest, ReadTool
from api.bodies import RequestBody
from api.customer_list import CustomerFilters
from api.routes import drafts, interactions, signals
from api.routes.draft_models import DraftQuery
from api.routes.interaction_models import IdBody, InteractionQuery
from api.routes.signal_models import SignalQuery
from schemas.values import CommandId, EntityKind

_CLOSED: Final = ConfigDict(extra="forbid")
_CUSTOMERS: Final = {"person": "/api/customers/people", "company": "/api/customers/companies"}
#: Tools whose key :class:`OutcomeQuery` accepts: all that write.
WriteName = Literal[
    "plan_interaction",
    "update_interaction",
    "complete_interaction",
    "cancel_interaction",
    "reopen_interaction",
    "delete_interaction",
    "fix_interaction",
    "undo",
    "resolve_signal",
    "skip_signal",
    "edit_draft",
]


class CustomerSearch(CustomerFilters):
    """Filters, order and page of people or companies."""

    model_config = _CLOSED
    kind: EntityKind = "person"


class InteractionSearch(InteractionQuery):
    """Filters, order and page of interactions."""

    model_config = _CLOSED


class SignalSearch(SignalQuery):
    """Filters, order and page of signals."""

    model_config = _CLOSED


class DraftSearch(DraftQuery):
    """Filters and page of drafts."""

    model_config = _CLOSED


class OutcomeQuery(RequestBody):
    """A command, by its id or by the tool and key that sent it."""

    command_id: CommandId | None = Field(default=None, description="The commandId of an answer.")
    tool: WriteName | None = Field(default=None, description="Instead of commandId, with requestKey.")
    request_key: RequestKey | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.command_id is None) == (self.tool is None or self.request_key is None):
            raise ValueError("Give either commandId, or tool and requestKey")
        return self


def _list(path: str, query: BaseModel, *leave_out: str) -> HttpRequest:
    params = query.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude_none=True, exclude=set(leave_out)
    )
    return HttpRequest(method="GET", path=path, params={name: _text(value) for name, value in params.items()})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_PAGES: Final = " Repeat with nextCursor as cursor, and the same filters, for the next page."

FIND_CUSTOMERS: Final = ReadTool(
    name="find_customers",
    title="Find customers",
    description="Find people (default) or companies (kind: company) by part of their name, e-mail address or"
    " phone number, with their next and last interaction." + _PAGES,
    arguments=CustomerSearch,
    request=lambda query: _list(_CUSTOMERS[query.kind], query, "kind"),
)
LIST_INTERACTIONS: Final = ReadTool(
    name="list_interactions",
    title="List interactions",
    description="List calls, meetings, e-mails, tasks and notes. status: planned, done or canceled, several"
    " separated by commas. entityId: a customer. from and to bound the time." + _PAGES,
    arguments=InteractionSearch,
    request=lambda query: _list(interactions.PATH, query),
)
GET_INTERACTION: Final = ReadTool(
    name="get_interaction",
    title="Get one interaction",
    description="Read one interaction with its current version.",
    arguments=IdBody,
    request=lambda query: HttpRequest(method="GET", path=f"{interactions.PATH}/{query.id}"),
)
LIST_SIGNALS: Final = ReadTool(
    name="list_signals",
    title="List signals",
    description="List signals: promises, questions, risks and the like that interactions revealed. status:"
    " open, resolving, resolved or skipped, several separated by commas." + _PAGES,
    arguments=SignalSearch,
    request=lambda query: _list(signals.PATH, query),
)
LIST_DRAFTS: Final = ReadTool(
    name="list_drafts",
    title="List drafts",
    description="List drafts, the messages that resolve signals and that a person sends. Newest first."
    + _PAGES,
    arguments=DraftSearch,
    request=lambda query: _list(drafts.PATH, query),
)
GET_COMMAND_OUTCOME: Final = ReadTool(
    name="get_command_outcome",
    title="Get the outcome of a change",
    description="Report whether an earlier change is stored, for example after NOT KNOWN YET or a lost"
    " connection. Give commandId, or the tool and its requestKey. Changes nothing.",
    arguments=OutcomeQuery,
    request=None,
    result=WriteResult,
)
