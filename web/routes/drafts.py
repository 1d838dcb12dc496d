"""``/backend/drafts``: the messages that resolve signals, to edit, hand over and mark as sent."""

from __future__ import annotations

import hashlib
from typing import Any, Final, get_args

import orjson
from fastapi import Request, Response

from api.authorization import require_features
from api.changes import not_found
from api.principal import Principal
from api.queries.contacts import contacts
from api.queries.drafts import DRAFTS
from api.queries.row_head import DRAFT
from api.queries.scope import Row
from api.queries.status_pages import StatusPage, count_of_statuses, row_by_id, rows_of_page
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.signal_payloads import Channel
from schemas.values import UuidText
from web.filters import uuid_filter
from web.hand_over import hand_over
from web.notice import notice_of
from web.page_route import is_fragment, page_router, target_of
from web.paging import after_of, last_of
from web.rendering import query, render
from web.submission import Submission, submission_of
from web.viewer import viewer_of

router = page_router()
PATH: Final = "/backend/drafts"
#: Tab → the statuses that it lists; the first is the default.
TABS: Final[dict[str, tuple[str, ...]]] = {"waiting": ("draft",), "sent": ("sent",), "deleted": ("deleted",)}
_PAGE: Final = 50
_VIEW: Final = require_features("customers.view")
#: Action → command type without ``customers.``, and the feature that it requires.
_ACTIONS: Final = {
    "sent": ("draft.mark_sent", "customers.edit"),
    "delete": ("draft.delete", "customers.delete"),
    "restore": ("draft.restore", "customers.edit"),
}


@router.get(PATH)
async def drafts(request: Request, services: ServicesDep, principal: Principal = _VIEW) -> Response:
    """Drafts in keyset pages, newest first; by default those that wait to be sent."""
    viewer = viewer_of(request, principal)
    given = request.query_params
    tab = given["show"] if given.get("show") in TABS else "waiting"
    channel = given["channel"] if given.get("channel") in get_args(Channel) else None
    owner = "me" if given.get("owner") == "me" else None
    customer = uuid_filter(given.get("customer"))
    filters = {"entity_id": customer, "channel": channel, "user_id": principal.subject if owner else None}
    page = StatusPage(
        sort="created_at",
        direction="desc",
        limit=_PAGE,
        after=after_of(request),
        statuses=TABS[tab],
        filters=filters,
    )
    async with services.reads.connection() as connection:
        rows, more = await rows_of_page(connection, principal.scope, DRAFTS, page)
        waiting = await count_of_statuses(connection, principal.scope, DRAFTS, TABS["waiting"], filters)
        people = await contacts(connection, principal.scope, [row["person_id"] for row in rows])
        notice = await notice_of(request, viewer, connection)
    kept = {
        "show": tab if tab != "waiting" else None,
        "owner": owner,
        "channel": channel,
        "customer": customer,
    }
    return render(
        "drafts.html",
        viewer,
        notice=notice,
        back=target_of(request),
        tab=tab,
        tabs=TABS,
        waiting=waiting,
        items=[{"draft": row, **hand_over(row, people.get(row["person_id"]))} for row in rows],
        channels=get_args(Channel),
        kept=kept,
        more=query(PATH, **kept, **last_of(rows)) if more else None,
    )


@router.get(PATH + "/{draft_id}")
async def draft(
    draft_id: UuidText, request: Request, services: ServicesDep, principal: Principal = _VIEW
) -> Response:
    """One draft, also a sent or deleted one."""
    async with services.reads.connection() as connection:
        row = await row_by_id(connection, principal.scope, DRAFTS, draft_id)
        if row is None:
            raise not_found(DRAFT)
    return await _draft_page(request, services, principal, row)


@router.post(PATH + "/{draft_id}")
async def act(
    draft_id: UuidText,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit", "customers.delete"),
) -> Response:
    """Save the text, which the page does by itself too, and do as the pressed button says."""
    form = await submission_of(request, principal)
    action = form.text("do") or "save"
    if action == "theirs":
        return _follow(form, None)
    if action != "save" and action not in _ACTIONS:
        raise Reject("invalid", "This action does not exist. Reload the page.")
    kind, feature = _ACTIONS.get(action, ("draft.update", "customers.edit"))
    if not principal.has(feature):
        raise Reject("missing_feature", f"This requires the feature {feature}.", status=403)
    row = await _row(form, draft_id)
    try:
        return await _execute(form, row, action, kind)
    except Reject as error:
        if error.code != "version_conflict" or "body" not in form.fields:
            raise
        return await _conflict(request, services, form, await _row(form, draft_id))


async def _execute(form: Submission, row: Row, action: str, kind: str) -> Response:
    version: int | None = None
    if action in {"save", "sent"} and "body" in form.fields:
        version, done = await _save(form, row)
        if action == "save":
            return (
                await _saved(form, row["id"], version) if is_fragment(form.request) else _follow(form, done)
            )
    result = await form.execute(kind, row["entity_id"], {"id": row["id"]}, expected_version=version)
    return _follow(form, result["commandId"], gone=action == "delete")


async def _save(form: Submission, row: Row) -> tuple[int, str | None]:
    """Save the fields that differ, under the version that the form began with.

    :return: the version that holds the form's text, and the command, if one was necessary.
    :raises Reject: the draft was changed meanwhile (``version_conflict``), was sent or deleted, or is blank.
    """
    body = form.fields["body"].replace("\r\n", "\n")
    changes: dict[str, Any] = {}
    if body != row["body"].replace("\r\n", "\n"):
        changes["body"] = body
    if "subject" in form.fields and form.text("subject") != row["subject"]:
        changes["subject"] = form.text("subject")
    if not changes:
        return row["version"], None
    # The newest version is sent by the button that prefers this text to a newer one.
    expected = form.integer("over") or form.integer("version")
    # A form saves many texts: its own key would be that of the first.
    content = hashlib.sha256(orjson.dumps([expected, changes])).hexdigest()
    result = await form.execute(
        "draft.update",
        row["entity_id"],
        {"id": row["id"], **changes},
        expected_version=expected,
        key=f"{row['id']}-{content}",
    )
    return result["version"], result["commandId"]


async def _saved(form: Submission, draft_id: str, version: int) -> Response:
    """The time of the commit, its version, and the links with the committed text."""
    row = await _row(form, draft_id)
    async with form.services.reads.connection() as connection:
        people = await contacts(connection, form.viewer.principal.scope, [row["person_id"]])
    item = {"draft": row, **hand_over(row, people.get(row["person_id"]))}
    return render("fragments/draft_saved.html", form.viewer, item=item, version=version)


async def _conflict(request: Request, services: ServicesDep, form: Submission, row: Row) -> Response:
    """Both texts, and the choice between them. Nothing is saved."""
    if not is_fragment(request):
        return await _draft_page(request, services, form.viewer.principal, row, mine=form.fields)
    response = render("fragments/draft_conflict.html", form.viewer, status=409, draft=row)
    response.headers["HX-Retarget"] = f"#draft-{row['id']} .problem"
    response.headers["HX-Reselect"] = ".message"
    response.headers["HX-Reswap"] = "innerHTML"
    response.headers["HX-Replace-Url"] = "false"
    return response


def _follow(form: Submission, done: str | None, *, gone: bool = False) -> Response:
    """Return to the page of the form; from the page of a draft that is gone, to the list.

    The script is told where to go, because the form itself expects only the state of its text.
    """
    if gone and form.fields.get("back", "").startswith(PATH + "/"):
        form.fields["back"] = PATH
    redirect = form.back(done)
    if not is_fragment(form.request):
        return redirect
    target = {
        "path": redirect.headers["location"],
        "target": "#main",
        "select": "#main",
        "swap": "outerMorph",
        "replace": "true",
    }
    return Response(headers={"HX-Location": orjson.dumps(target).decode()})


async def _row(form: Submission, draft_id: str) -> Row:
    async with form.services.reads.connection() as connection:
        row = await row_by_id(connection, form.viewer.principal.scope, DRAFTS, draft_id)
    if row is None:
        raise not_found(DRAFT)
    return row


async def _draft_page(
    request: Request,
    services: ServicesDep,
    principal: Principal,
    row: Row,
    mine: dict[str, str] | None = None,
) -> Response:
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        known = await contacts(connection, principal.scope, [row["person_id"], row["entity_id"]])
        notice = await notice_of(request, viewer, connection)
    return render(
        "draft.html",
        viewer,
        status=409 if mine is not None else 200,
        notice=notice,
        back=f"{PATH}/{row['id']}",
        item={"draft": row, **hand_over(row, known.get(row["person_id"]))},
        customer=known.get(row["entity_id"]),
        mine=mine,
    )
