"""Writes of people and companies: request bodies, and the commands built from them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import Request, Response
from pydantic import Field

from api.bodies import RequestBody
from api.command_gateway import CommandRequest, Rejection, keyed_command_id
from api.customer_detail import not_found
from api.preconditions import expected_version, precondition_failed, preconditions_of, status_of_key
from api.principal import Principal
from api.queries.command_status import CommandStatus
from api.queries.customer_detail import entity
from api.services import Services
from api.write_responses import etag, write_response
from schemas.errors import Conflict, Reject
from schemas.identity import derive_id
from schemas.values import Name, ShortText, UuidText

Kind = Literal["person", "company"]
_KIND: Final = "entity.upsert"
#: The old lock header names a timestamp. Its version may change between the read and the command.
_ATTEMPTS: Final = 3


class CustomerCreate(RequestBody):
    """A new person or company. The projection is derived; its fields cannot be set."""

    id: UuidText | None = None
    display_name: Name
    primary_email: Annotated[str, Field(max_length=320, pattern=r"^[^\x00]*$")] | None = None
    primary_phone: ShortText | None = None
    owner_user_id: UuidText | None = None


class CustomerUpdate(RequestBody):
    """Changes of a customer. Omitted fields keep their value; ``null`` clears a field."""

    id: UuidText
    # Declared without null, so that null is rejected: a customer always has a name.
    display_name: Name = ""
    primary_email: Annotated[str, Field(max_length=320, pattern=r"^[^\x00]*$")] | None = None
    primary_phone: ShortText | None = None
    owner_user_id: UuidText | None = None


async def create_customer(
    services: Services, request: Request, principal: Principal, kind: Kind, body: CustomerCreate
) -> Response:
    """Create a customer: 201 with its id once it is committed.

    :raises Reject: the id exists (409), or the applier rejected the command.
    """
    key = preconditions_of(request).idempotency_key
    route = f"{request.method} {request.url.path}"
    data = body.data()
    if body.id is None:
        data["id"] = _new_id(principal, route, key)
    command = CommandRequest(
        principal=principal,
        kind=_KIND,
        entity_id=data["id"],
        data={**data, "kind": kind},
        idempotency_key=key,
        route=route,
        expected_version=0,
    )
    try:
        result = await services.commands.execute(command)
    except Rejection as rejection:
        if rejection.code == "version_conflict":
            raise Reject(
                "entity_exists", "A customer with this id exists.", pointer="/id", status=409
            ) from None
        raise
    return _answer(result, {"id": data["id"]}, 201)


async def update_customer(
    services: Services, request: Request, principal: Principal, kind: Kind, body: CustomerUpdate
) -> Response:
    """Change a customer: 200 once it is committed. A repeated request (same key) gets its first response.

    :raises Reject: there is no such customer (404), or a condition of the request does not hold (409, 412).
    :raises Conflict: each attempt lost against a concurrent change.
    """
    wanted = preconditions_of(request)
    route = f"{request.method} {request.url.path}"
    for _ in range(_ATTEMPTS):
        row, status = await _current_state(services, principal, body.id, wanted.idempotency_key, route)
        expected = None
        if status is None:
            if row is None or row["kind"] != kind:
                raise not_found(kind)
            expected = expected_version(wanted, row["entity_version"], row["updated_at"])
        command = CommandRequest(
            principal=principal,
            kind=_KIND,
            entity_id=body.id,
            data={**body.data(), "kind": kind},
            idempotency_key=wanted.idempotency_key,
            route=route,
            expected_version=expected,
        )
        try:
            return _answer(await services.commands.execute(command), {"ok": True}, 200)
        except Rejection as rejection:
            if rejection.code != "version_conflict":
                raise
        if wanted.updated_at is None:
            raise precondition_failed()
        if wanted.idempotency_key is not None:
            # This command id has its result. It cannot be sent again with another version.
            break
        # An interaction of the customer may have raised the version: compare the timestamps again.
    raise Conflict("The customer was changed concurrently. Nothing was written; read it again and retry.")


async def _current_state(
    services: Services, principal: Principal, entity_id: str, key: str | None, route: str
) -> tuple[dict[str, Any] | None, CommandStatus | None]:
    """The stored customer, or the status of the command with this key if it has been executed."""
    async with services.reads.connection() as connection:
        status = await status_of_key(connection, principal, route, key)
        return (await entity(connection, principal.scope, entity_id) if status is None else None), status


def _new_id(principal: Principal, route: str, key: str | None) -> str:
    from uuid import uuid4

    return derive_id("customer", keyed_command_id(principal, route, key)) if key is not None else str(uuid4())


def _answer(result: dict[str, Any], body: dict[str, Any], status: int) -> Response:
    response = write_response(result, body, status)
    if result.get("entityVersion") is not None:
        response.headers["ETag"] = etag(result["entityVersion"])
    return response
