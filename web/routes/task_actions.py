"""Forms of the work list: complete, snooze, cancel or reassign ticked tasks, and take that back."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.authorization import require_features
from api.principal import Principal
from api.queries.interaction_list import interactions_by_id
from api.queries.scope import Row
from schemas.errors import FieldError, Reject
from schemas.instants import format_instant
from web.bulk import ACTIONS, MOST, Bulk, BulkCommand, bulk_of, execute_all, results_of
from web.filters import uuid_filter
from web.page_route import local_path, page_router
from web.rendering import with_parameters
from web.routes.tasks import PATH
from web.snooze import Snooze, snoozed
from web.submission import Submission, submission_of

router = page_router()
#: Actions that change a field, and not the status: only open tasks are changed.
_FIELDS: Final = frozenset({"snooze", "reassign"})


@router.post(PATH)
async def act(request: Request, principal: Principal = require_features("customers.edit")) -> Response:
    """Execute one action on every ticked task, or on all that the page showed."""
    form = await submission_of(request, principal)
    action, _, choice = form.action().partition(":")
    if action not in ACTIONS or action == "undo":
        raise Reject("invalid", "This action does not exist. Reload the page.")
    ids = _chosen(form)
    changes = changes_of(form, action, choice)
    async with form.services.reads.connection() as connection:
        rows = await interactions_by_id(connection, principal.scope, ids)
    commands, unsent = [], dict[str, str]()
    for it in ids:
        row = rows.get(it)
        if row is None:
            unsent[it] = "interaction_not_found"
        elif action in _FIELDS and row["status"] != "planned":
            unsent[it] = "no_longer_open"
        else:
            commands.append(_command(form, action, changes, row))
    return _to_results(form, await execute_all(form, action, commands, unsent))


@router.post(PATH + "/undo")
async def undo(
    request: Request,
    principal: Principal = require_features("audit_logs.undo_self", "audit_logs.undo_tenant"),
) -> Response:
    """Take back every command of a bulk action that was applied."""
    form = await submission_of(request, principal)
    async with form.services.reads.connection() as connection:
        found = await results_of(bulk_of(form.text("bulk")), form.viewer, connection)
    commands = [
        BulkCommand(
            interaction_id=it.interaction_id, entity_id=it.entity_id, data={"undoToken": it.undo_token}
        )
        for it in (found.undoable if found is not None else ())
        if it.entity_id is not None
    ]
    if not commands:
        raise Reject("undo_not_available", "This change can no longer be taken back.", status=409)
    return _to_results(form, await execute_all(form, "undo", commands, {}))


def _chosen(form: Submission) -> list[str]:
    """The ticked tasks; those that the page showed if only their common box is ticked."""
    given = form.lists.get("taskId", [])
    if not given and form.text("page"):
        given = (form.text("shownId") or "").split()
    ids = list(dict.fromkeys(filter(None, map(uuid_filter, given))))
    if not ids:
        raise Reject("nothing_chosen", "Tick at least one row.")
    if len(ids) > MOST:
        raise Reject("invalid", f"At most {MOST} tasks at once.")
    return ids


def changes_of(form: Submission, action: str, choice: str) -> dict[str, Any]:
    """The choice of an action: the day of a snooze, or the new owner.

    :raises Reject: it is missing or malformed.
    """
    if action == "snooze":
        if choice not in set(Snooze):
            raise _invalid("choice", "Choose a day.")
        return {"snooze": Snooze(choice)}
    if action == "reassign":
        if choice == "none":
            return {"ownerUserId": None}
        given = form.viewer.principal.subject if choice == "me" else form.text("ownerUserId")
        owner = uuid_filter(given)
        if owner is None:
            raise _invalid("ownerUserId", "This is not the id of a user.")
        return {"ownerUserId": owner}
    return {}


def _command(form: Submission, action: str, changes: dict[str, Any], row: Row) -> BulkCommand:
    data: dict[str, Any] = {"id": row["id"]}
    if "snooze" in changes:
        moment = snoozed(changes["snooze"], row["scheduled_at"], form.viewer.days)
        data["scheduledAt"] = format_instant(moment)
    if "ownerUserId" in changes:
        data["ownerUserId"] = changes["ownerUserId"]
    return BulkCommand(
        interaction_id=row["id"],
        entity_id=row["entity_id"],
        data=data,
        expected_version=row["version"] if action in _FIELDS else None,
    )


def _to_results(form: Submission, bulk: Bulk) -> Response:
    """Return to the page of the form, whose address names the results."""
    path = local_path(form.text("back"), PATH)
    return RedirectResponse(with_parameters(path, {"bulk": bulk.text}, drop=("done",)), 303)


def _invalid(name: str, detail: str) -> Reject:
    return Reject("invalid", detail, errors=(FieldError("invalid", detail, f"/{name}"),))
