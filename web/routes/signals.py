"""``/backend/signals``: signals that wait for an action, and one signal with its drafts and its history."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.authorization import require_features
from api.changes import not_found
from api.command_gateway import CommandRequest
from api.principal import Principal
from api.problems import DraftPending
from api.queries.contacts import contacts
from api.queries.customers import CustomerQuery, customers
from api.queries.interaction_list import interaction_by_id
from api.queries.row_head import SIGNAL
from api.queries.scope import Row
from api.queries.signals import SIGNALS, drafts_of, outcomes_of
from api.queries.status_pages import StatusPage, count_of_statuses, row_by_id, rows_of_page
from api.services import ServicesDep
from api.signal_resolution import draft_of_resolution
from schemas.errors import Reject
from schemas.values import UuidText
from web.dictionary import types_of
from web.filters import text_filter, uuid_filter
from web.hand_over import hand_over
from web.notice import notice_of
from web.page_route import page_router, target_of
from web.paging import after_of, last_of
from web.rendering import query, render
from web.signal_items import next_waiting, with_people
from web.submission import Submission, submission_of
from web.viewer import viewer_of

router = page_router()
PATH: Final = "/backend/signals"
#: Tab → the statuses that it lists; the first is the default.
TABS: Final[dict[str, tuple[str, ...]]] = {
    "waiting": ("open", "resolving"),
    "resolved": ("resolved",),
    "skipped": ("skipped",),
}
_PAGE: Final = 50
_CHOICES: Final = 8
_VIEW: Final = require_features("customers.view")
_EDIT: Final = require_features("customers.edit")


@router.get(PATH)
async def signals(request: Request, services: ServicesDep, principal: Principal = _VIEW) -> Response:
    """Signals in keyset pages, latest first; by default those that wait."""
    viewer = viewer_of(request, principal)
    chosen = request.query_params.get("show") or ""
    tab = chosen if chosen in TABS else "waiting"
    customer = uuid_filter(request.query_params.get("customer"))
    filters = {"entity_id": customer}
    page = StatusPage(
        sort="detected_at",
        direction="desc",
        limit=_PAGE,
        after=after_of(request),
        statuses=TABS[tab],
        filters=filters,
    )
    async with services.reads.connection() as connection:
        rows, more = await rows_of_page(connection, principal.scope, SIGNALS, page)
        waiting = await count_of_statuses(connection, principal.scope, SIGNALS, TABS["waiting"], filters)
        items = await with_people(connection, principal.scope, rows)
        notice = await notice_of(request, viewer, connection)
    kept = {"show": tab if tab != "waiting" else None, "customer": customer}
    return render(
        "signals.html",
        viewer,
        notice=notice,
        back=target_of(request),
        tab=tab,
        tabs=TABS,
        items=items,
        waiting=waiting,
        kept=kept,
        more=query(PATH, **kept, **last_of(rows)) if more else None,
    )


@router.get(PATH + "/{signal_id}")
async def signal(
    signal_id: UuidText, request: Request, services: ServicesDep, principal: Principal = _VIEW
) -> Response:
    """One signal: its draft, or the form that has one written, and its history."""
    viewer, scope = viewer_of(request, principal), principal.scope
    search = text_filter(request.query_params.get("person"))
    async with services.reads.connection() as connection:
        row = await row_by_id(connection, scope, SIGNALS, signal_id)
        if row is None:
            raise not_found(SIGNAL)
        (item,) = await with_people(connection, scope, [row])
        drafts = await drafts_of(connection, scope, signal_id)
        people = await contacts(connection, scope, [it["person_id"] for it in drafts])
        outcomes = await outcomes_of(connection, scope, signal_id)
        interaction = await interaction_by_id(connection, scope, row["interaction_id"])
        types = await types_of(connection, scope)
        following = await next_waiting(connection, scope, row)
        found = []
        if search is not None and item["reason"] is not None:
            wanted = CustomerQuery(
                kind="person",
                limit=_CHOICES,
                sort_field="displayName",
                sort_dir="asc",
                now=viewer.days.now,
                search=search,
            )
            found = (await customers(connection, scope, wanted))[:_CHOICES]
        notice = await notice_of(request, viewer, connection)
    return render(
        "signal.html",
        viewer,
        notice=notice,
        back=target_of(request),
        item=item,
        row=row,
        drafts=[{"draft": it, **hand_over(it, people.get(it["person_id"]))} for it in drafts],
        outcomes=outcomes,
        interaction=interaction,
        types=types,
        following=following,
        search=search,
        found=found,
    )


@router.post(PATH + "/{signal_id}/resolve")
async def resolve(signal_id: UuidText, request: Request, principal: Principal = _EDIT) -> Response:
    """Have a draft written, and show it once it is committed with the signal's resolution."""
    form = await submission_of(request, principal)
    wanted = {
        "channel": form.text("channel"),
        "language": form.text("language"),
        "instruction": form.text("instruction"),
    }
    data = {"id": signal_id, **{name: value for name, value in wanted.items() if value is not None}}
    row = await _row(form, signal_id)
    command = CommandRequest(
        principal=principal,
        kind="signal.resolve",
        entity_id=row["entity_id"],
        data=data,
        idempotency_key=form.key,
        route="page signal.resolve",
    )
    try:
        found, result = await draft_of_resolution(
            form.services, command, signal_id, lambda: form.services.commands.execute(command)
        )
    except DraftPending:
        # The command is committed, and the signal's page shows that its draft is being written.
        return _page_of(signal_id, command.id)
    own = result["outcome"] != "no_op" and found["outcome"] == "resolved"
    return _page_of(signal_id, found["command_id"] if own else command.id)


@router.post(PATH + "/{signal_id}")
async def act(signal_id: UuidText, request: Request, principal: Principal = _EDIT) -> Response:
    """Skip or reopen a signal, or set its person: the button that was pressed names the action."""
    form = await submission_of(request, principal)
    action = form.text("do")
    data: dict[str, Any] = {"id": signal_id}
    if action == "skip":
        kind = "signal.skip"
        if reason := form.text("reason"):
            data["reason"] = reason
    elif action == "reopen":
        kind = "signal.reopen"
    elif action == "person":
        kind, data = "signal.update", {**data, "personId": form.identity("personId")}
    else:
        raise Reject("invalid", "This action does not exist. Reload the page.")
    row = await _row(form, signal_id)
    result = await form.execute(kind, row["entity_id"], data)
    return form.back(result["commandId"])


def _page_of(signal_id: str, command_id: str) -> Response:
    return RedirectResponse(f"{PATH}/{signal_id}?done={command_id}", 303)


async def _row(form: Submission, signal_id: str) -> Row:
    async with form.services.reads.connection() as connection:
        row = await row_by_id(connection, form.viewer.principal.scope, SIGNALS, signal_id)
    if row is None:
        raise not_found(SIGNAL)
    return row
