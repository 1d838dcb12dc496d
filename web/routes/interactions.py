"""Forms of interactions: plan or log, complete, snooze, cancel, reopen, edit, delete, undo."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request, Response

from api.authorization import require_features
from api.changes import not_found
from api.own_commands import is_own
from api.principal import Principal
from api.queries.command_status import command_status
from api.queries.interaction_list import interaction_by_id
from api.queries.scope import Row
from domain.undo_image import command_id_of
from schemas.errors import FieldError, Reject
from schemas.instants import format_instant
from schemas.values import UuidText
from web.dictionary import types_of
from web.edit_conflict import CHOICE, SEEN, EditConflict, conflict_of
from web.page_route import page_router
from web.snooze import Snooze, snoozed
from web.submission import Submission, submission_of

router = page_router()
PATH: Final = "/backend/interactions"
#: Fields of the edit form → how each is read.
_EDITED: Final = {
    "interactionType": Submission.text,
    "title": Submission.text,
    "body": Submission.text,
    "scheduledAt": Submission.instant,
    "occurredAt": Submission.instant,
    "priority": Submission.integer,
    "ownerUserId": Submission.text,
}
#: Action → command type without ``customers.``, and the feature that it requires.
_ACTIONS: Final = {
    "complete": ("interaction.complete", "customers.edit"),
    "snooze": ("interaction.update", "customers.edit"),
    "assign": ("interaction.update", "customers.edit"),
    "cancel": ("interaction.cancel", "customers.edit"),
    "reopen": ("interaction.reopen", "customers.edit"),
    "delete": ("interaction.delete", "customers.delete"),
}
_EDIT: Final = require_features("customers.edit")


@router.post(PATH)
async def create(request: Request, principal: Principal = require_features("customers.create")) -> Response:
    """Plan an interaction, or log one that took place: a date in the past means done."""
    form = await submission_of(request, principal)
    moment = form.instant("when")
    past = moment is not None and datetime.fromisoformat(moment) <= datetime.now(UTC)
    data: dict[str, Any] = {
        "interactionType": form.text("interactionType"),
        "title": form.text("title"),
        "body": form.text("body"),
        "priority": form.integer("priority"),
        "ownerUserId": form.text("ownerUserId"),
        "source": "manual",
    }
    data |= {"occurredAt": moment, "status": "done"} if past else {"scheduledAt": moment}
    data["authorUserId"] = form.viewer.user_id
    data = {name: value for name, value in data.items() if value is not None}
    result = await form.execute("interaction.create", form.identity("entityId"), data)
    return form.back(result["commandId"])


@router.post(PATH + "/{interaction_id}")
async def act(
    interaction_id: UuidText,
    request: Request,
    principal: Principal = require_features("customers.edit", "customers.delete"),
) -> Response:
    """One of the actions of a row: the button that was pressed names it."""
    form = await submission_of(request, principal)
    name, _, choice = (form.text("do") or "").partition(":")
    data: dict[str, Any] = {"id": interaction_id}
    if name not in _ACTIONS:
        raise Reject("invalid", "This action does not exist. Reload the page.")
    kind, feature = _ACTIONS[name]
    if not principal.has(feature):
        raise Reject("missing_feature", f"This requires the feature {feature}.", status=403)
    if name == "snooze":
        data["scheduledAt"] = await _snoozed(form, interaction_id, choice)
    if name == "assign":
        data["ownerUserId"] = principal.subject if choice == "me" else form.text("owner")
    if name == "complete":
        data |= _completion(form)
    return await _change(form, kind, data)


def _completion(form: Submission) -> dict[str, Any]:
    """The feedback, and the next step if it has a title or a date."""
    found: dict[str, Any] = {}
    if feedback := form.text("feedback"):
        found["feedback"] = feedback
    following = {
        "interactionType": form.text("nextType"),
        "title": form.text("nextTitle"),
        "scheduledAt": form.instant("nextAt"),
    }
    if following["title"] or following["scheduledAt"]:
        found["next"] = {name: value for name, value in following.items() if value is not None}
    return found


async def _snoozed(form: Submission, interaction_id: str, choice: str) -> str:
    if choice not in set(Snooze):
        raise Reject("invalid", "Choose a day.", errors=(FieldError("invalid", "Choose a day.", "/choice"),))
    row = await _row(form, interaction_id)
    return format_instant(snoozed(Snooze(choice), row["scheduled_at"], form.viewer.days))


@router.post(PATH + "/{interaction_id}/edit")
async def edit(interaction_id: UuidText, request: Request, principal: Principal = _EDIT) -> Response:
    """Change the fields that the person changed, and no other, under the version that the form showed.

    ``was-…`` holds the value that the form showed. After a conflict the person decides field by field:
    ``choose-…`` is ``mine`` or ``theirs``, about the version ``seen``.
    """
    form = await submission_of(request, principal)
    data: dict[str, Any] = {"id": interaction_id}
    for name, read in _EDITED.items():
        changed = name in form.fields and form.text(name) != form.text(f"was-{name}")
        if changed and form.text(CHOICE + name) != "theirs":
            data[name] = read(form, name)
    seen = form.integer(SEEN)
    if seen is not None and len(data) == 1:
        return form.back()
    expected = form.integer("version") if seen is None else seen
    try:
        return await _change(form, "interaction.update", data, expected_version=expected)
    except Reject as error:
        if error.code != "version_conflict":
            raise
    raise await _conflict(form, interaction_id)


async def _conflict(form: Submission, interaction_id: str) -> EditConflict:
    viewer = form.viewer
    async with form.services.reads.connection() as connection:
        row = await interaction_by_id(connection, viewer.principal.scope, interaction_id)
        types = await types_of(connection, viewer.principal.scope)
    if row is None:
        raise not_found()
    names = [name for name in _EDITED if name in form.fields]
    return conflict_of(viewer, types, row, names, form.text)


@router.post("/backend/undo")
async def undo(
    request: Request,
    principal: Principal = require_features("audit_logs.undo_self", "audit_logs.undo_tenant"),
) -> Response:
    """Take a change back by its undo token."""
    form = await submission_of(request, principal)
    token = form.text("token") or ""
    command_id = command_id_of(token)
    unavailable = Reject("undo_not_available", "This change can no longer be taken back.", status=409)
    if command_id is None or "\x00" in command_id:
        raise unavailable
    async with form.services.reads.connection() as connection:
        status = await command_status(connection, principal.scope, command_id)
        own = status is not None and await is_own(connection, principal, status)
    if status is None or status.entity_id is None or not (own or principal.has("audit_logs.undo_tenant")):
        raise unavailable
    result = await form.execute(
        "interaction.undo", status.entity_id, {"undoToken": token}, resource_id=status.interaction_id
    )
    return form.back(result["commandId"])


async def _row(form: Submission, interaction_id: str) -> Row:
    async with form.services.reads.connection() as connection:
        row = await interaction_by_id(connection, form.viewer.principal.scope, interaction_id)
    if row is None:
        raise not_found()
    return row


async def _change(
    form: Submission, kind: str, data: dict[str, Any], *, expected_version: int | None = None
) -> Response:
    row = await _row(form, data["id"])
    result = await form.execute(kind, row["entity_id"], data, expected_version=expected_version)
    return form.back(result["commandId"])
