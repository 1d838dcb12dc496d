"""Writes of the deprecated routes: one confirmed command each. A legacy row is moved first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from fastapi import Request
from pydantic import ValidationError

from api.adapters.execute import execute
from api.adapters.legacy_moves import move
from api.adapters.old_bodies import OldBody, OldDelete, distinct_ids
from api.adapters.translation import AdapterCommand
from api.command_gateway import Rejection
from api.feature_flags import legacy_shows
from api.preconditions import Preconditions, precondition_failed, preconditions_of, record_modified
from api.principal import Principal
from api.problems import LegacyError, validation_failed
from api.queries.adapter_targets import Target, find_target
from api.queries.row_head import head_of
from api.services import Services
from schemas.errors import FieldError, Reject
from schemas.validation import field_errors
from schemas.values import UUID_PATTERN

OldView = Literal["activities", "todos"]


def author_of(principal: Principal) -> str | None:
    """The caller's id as an author, if it is a UUID."""
    return principal.subject.lower() if re.fullmatch(UUID_PATTERN, principal.subject) else None


def check_scope(body: OldBody, principal: Principal) -> None:
    """Check the tenant and organization that old clients may send.

    :raises Reject: they do not match the token (403).
    """
    for given, own in (
        (body.tenant_id, principal.tenant_id),
        (body.organization_id, principal.organization_id),
    ):
        if given is not None and given != own:
            raise Reject(
                "foreign_scope", "Tenant and organization in the body do not match the token.", status=403
            )


@dataclass(frozen=True, slots=True)
class TargetRow:
    """The interaction that a client changes, with the preconditions of the request.

    :param row: in the columns of the views.
    :param version: the version that the applier must find; ``None`` for any.
    """

    row: dict[str, Any]
    version: int | None
    preconditions: Preconditions


async def target_of(
    services: Services, request: Request, principal: Principal, ids: Sequence[str], view: OldView
) -> TargetRow:
    """Find the interaction that the client names. A legacy row is moved first.

    :param ids: candidates (link and todo); the first match counts.
    :raises Reject: there is none (404), or it changed after the client read it (409, 412).
    """
    legacy = await legacy_shows(services, principal)
    target = None
    for named in ids:
        target = target or await _find(services, principal, named, view, legacy=legacy)
    preconditions = preconditions_of(request)
    if target is None:
        if preconditions.updated_at is not None:
            raise record_modified(preconditions.updated_at, None)
        what = "activity" if view == "activities" else "todo"
        raise LegacyError(f"{what}_not_found", f"There is no {what} with this id.",
                          error=f"{what.capitalize()} not found", status=404)  # fmt: skip
    conditional = _check(preconditions, target.row)
    row = target.row
    if not target.moved:
        await move(services, principal, row["id"])
        moved = await _find(services, principal, row["id"], view, legacy=False)
        row = moved.row if moved is not None else row
    return TargetRow(row, row["version"] if conditional else None, preconditions)


def _check(preconditions: Preconditions, row: dict[str, Any]) -> bool:
    """Check the preconditions against the row; report whether there are any."""
    if preconditions.updated_at is not None:
        if abs(row["updated_at"] - preconditions.updated_at) >= timedelta(milliseconds=1):
            raise record_modified(preconditions.updated_at, row["updated_at"])
        return True
    if preconditions.if_match and row["version"] not in preconditions.if_match:
        raise precondition_failed()
    return bool(preconditions.if_match)


async def _find(
    services: Services, principal: Principal, named: str, view: OldView, *, legacy: bool
) -> Target | None:
    async with services.reads.connection() as connection:
        return await find_target(connection, principal.scope, named, view, legacy=legacy)


async def execute_on_target(
    services: Services, principal: Principal, target: TargetRow, command: AdapterCommand
) -> dict[str, Any]:
    """Execute a command on the target under the preconditions of the request.

    :raises Reject: it was rejected, or the row changed after the client read it (409, 412). Nothing was
        changed.
    """
    try:
        return await execute(services, principal, command, version=target.version)
    except Rejection as rejection:
        if rejection.code != "version_conflict" or target.version is None:
            raise
    if target.preconditions.updated_at is None:
        raise precondition_failed()
    async with services.reads.connection() as connection:
        now = await head_of(connection, principal.scope, target.row["id"])
    raise record_modified(target.preconditions.updated_at, now.updated_at if now else None)


async def ids_to_delete(request: Request, principal: Principal) -> tuple[str, ...]:
    """The ids in the body or query of a DELETE, the link's first.

    :raises Reject: there is none, or one is not a UUID (400).
    """
    raw = await request.body()
    query = request.query_params
    try:
        body = OldDelete.model_validate_json(raw) if raw.strip() else OldDelete.model_validate({})
    except ValidationError as error:
        raise validation_failed(field_errors(error.errors(include_url=False, include_input=False))) from None
    check_scope(body, principal)
    ids = distinct_ids(
        body.link_id, body.id, query.get("linkId"), query.get("id"), body.todo_id, query.get("todoId")
    )
    if not all(re.fullmatch(UUID_PATTERN, identity) for identity in ids):
        raise validation_failed((FieldError("invalid_format", "must be a UUID", "/id"),))
    return tuple(identity.lower() for identity in ids)
