"""Changes of stored rows: one confirmed command under the preconditions of the request."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from api.command_gateway import CommandRequest, Rejection
from api.preconditions import (
    Preconditions,
    expected_version,
    precondition_failed,
    preconditions_of,
    record_modified,
    status_of_key,
)
from api.principal import Principal
from api.queries.command_status import CommandStatus
from api.queries.row_head import INTERACTION, Head, Resource, head_of
from api.services import Services
from schemas.errors import Reject


async def change(
    services: Services,
    request: Request,
    principal: Principal,
    kind: str,
    row_id: str,
    data: dict[str, Any],
    resource: Resource = INTERACTION,
) -> dict[str, Any]:
    """Execute a command on an existing row under the preconditions of the request.

    The preconditions become the command's expected version, which the applier checks in the transaction
    that writes. A repeated request (same key) is not checked again: it gets its first result.

    :param kind: the command type without ``customers.``.
    :raises Reject: no such row (404), a precondition failed (409, 412), or the applier rejected the command.
    """
    command = await command_of(services, request, principal, kind, row_id, data, resource)
    return await execute_change(services, request, command, row_id, resource)


async def command_of(
    services: Services,
    request: Request,
    principal: Principal,
    kind: str,
    row_id: str,
    data: dict[str, Any],
    resource: Resource = INTERACTION,
) -> CommandRequest:
    """The command of a change, with the version that the applier must find.

    :raises Reject: no such row (404), or a precondition fails already (409, 412).
    """
    preconditions = preconditions_of(request)
    route = f"{request.method} {request.url.path}"
    key = preconditions.idempotency_key
    head, status = await _current_state(services, principal, row_id, key, route, resource)
    expected: int | None = None
    if status is None:
        if head is None:
            if preconditions.updated_at is not None:
                raise record_modified(preconditions.updated_at, None)
            raise not_found(resource)
        expected = expected_version(preconditions, head.version, head.updated_at)
    entity_id = status.entity_id if status is not None and status.entity_id is not None else None
    if entity_id is None:
        if head is None:
            raise not_found(resource)
        entity_id = head.entity_id
    return CommandRequest(
        principal=principal,
        kind=kind,
        entity_id=entity_id,
        data=data,
        idempotency_key=key,
        route=route,
        expected_version=expected,
    )


async def execute_change(
    services: Services, request: Request, command: CommandRequest, row_id: str, resource: Resource
) -> dict[str, Any]:
    """Execute the command of a change; a version conflict becomes the response to its precondition.

    :raises Reject: a precondition failed (409, 412), or the applier rejected the command.
    """
    preconditions: Preconditions = preconditions_of(request)
    try:
        return await services.commands.execute(command)
    except Rejection as rejection:
        if rejection.code == f"{resource.name}_not_found" and preconditions.updated_at is not None:
            raise record_modified(preconditions.updated_at, None) from None
        if rejection.code != "version_conflict":
            raise
        if preconditions.updated_at is None:
            raise precondition_failed() from None
        async with services.reads.connection() as connection:
            now = await head_of(connection, command.principal.scope, row_id, resource)
        raise record_modified(preconditions.updated_at, now.updated_at if now is not None else None) from None


async def _current_state(
    services: Services, principal: Principal, row_id: str, key: str | None, route: str, resource: Resource
) -> tuple[Head | None, CommandStatus | None]:
    async with services.reads.connection() as connection:
        status = await status_of_key(connection, principal, route, key)
        if status is not None and status.entity_id is not None:
            return None, status
        return await head_of(connection, principal.scope, row_id, resource), status


def not_found(resource: Resource = INTERACTION) -> Reject:
    """404. An id of another tenant and an unused id get the same response."""
    return Reject(f"{resource.name}_not_found", f"There is no {resource.name} with this id.", status=404)
