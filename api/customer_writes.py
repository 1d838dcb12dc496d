"""Writing people and companies: bodies, and the commands that they become."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import Request, Response
from pydantic import Field

from api.answers import etag, written
from api.bodies import RequestBody
from api.command_gateway import Order, Rejection, keyed_command_id
from api.customer_detail import not_found
from api.preconditions import Preconditions, precondition_failed, preconditions_of, record_modified
from api.principal import Principal
from api.services import Services
from schemas.errors import Conflict, Reject
from schemas.identity import derive_id
from schemas.values import Name, ShortText, UuidText
from sinks.reads.customer_detail import entity

Kind = Literal["person", "company"]
_KIND: Final = "entity.upsert"
#: An update without a name carries the stored one; a rename in between makes it start again.
_ATTEMPTS: Final = 3


class CustomerCreate(RequestBody):
    """A new person or company; the projection is derived and no field of it can be given."""

    id: UuidText | None = None
    display_name: Name
    primary_email: Annotated[str, Field(max_length=320, pattern=r"^[^\x00]*$")] | None = None
    primary_phone: ShortText | None = None
    owner_user_id: UuidText | None = None


class CustomerUpdate(RequestBody):
    """Fields that are not given keep their value; ``null`` empties one."""

    id: UuidText
    # Declared without null, so that null is refused: a customer always has a name.
    display_name: Name = ""
    primary_email: Annotated[str, Field(max_length=320, pattern=r"^[^\x00]*$")] | None = None
    primary_phone: ShortText | None = None
    owner_user_id: UuidText | None = None


async def create_customer(
    services: Services, request: Request, who: Principal, kind: Kind, body: CustomerCreate
) -> Response:
    """Add one: 201 with its id, once it is committed.

    :raises Reject: the id is taken (409), or the rules refuse it.
    """
    key = preconditions_of(request).idempotency_key
    route = f"{request.method} {request.url.path}"
    data = body.data()
    if body.id is None:
        data["id"] = _new_id(who, route, key)
    order = Order(
        principal=who,
        kind=_KIND,
        entity_id=data["id"],
        data={**data, "kind": kind},
        idempotency_key=key,
        route=route,
        expected_version=0,
    )
    try:
        result = await services.commands.carry_out(order)
    except Rejection as rejection:
        if rejection.code == "version_conflict":
            raise Reject(
                "entity_exists", "a customer with this id exists", pointer="/id", status=409
            ) from None
        raise
    return _answer(result, {"id": data["id"]}, 201)


async def update_customer(
    services: Services, request: Request, who: Principal, kind: Kind, body: CustomerUpdate
) -> Response:
    """Change one: 200 once it is committed.

    :raises Reject: there is none (404), or a condition of the request does not hold (409, 412).
    :raises Conflict: others change it all the time.
    """
    wanted = preconditions_of(request)
    for _ in range(_ATTEMPTS):
        async with services.reads.connection() as connection:
            row = await entity(connection, who.scope, body.id)
        if row is None or row["kind"] != kind:
            raise not_found(kind)
        expected = _expected_version(wanted, row)
        conditional = expected is not None
        if "display_name" not in body.model_fields_set:
            expected = row["entity_version"]
        data = {"displayName": row["display_name"], **body.data(), "kind": kind}
        order = Order(principal=who, kind=_KIND, entity_id=body.id, data=data, expected_version=expected)
        try:
            return _answer(await services.commands.carry_out(order), {"ok": True}, 200)
        except Rejection as rejection:
            if rejection.code != "version_conflict":
                raise
        if conditional and wanted.updated_at is None:
            raise precondition_failed()
        # With the old lock header the next round finds out whether the customer itself was changed.
    raise Conflict("the customer is changed by others all the time; try again")


def _new_id(who: Principal, route: str, key: str | None) -> str:
    from uuid import uuid4

    return derive_id("customer", keyed_command_id(who, route, key)) if key is not None else str(uuid4())


def _expected_version(wanted: Preconditions, row: dict[str, Any]) -> int | None:
    if wanted.updated_at is not None:
        if abs(row["updated_at"] - wanted.updated_at) >= timedelta(milliseconds=1):
            raise record_modified(wanted.updated_at, row["updated_at"])
        return int(row["entity_version"])
    if not wanted.if_match:
        return None
    if row["entity_version"] not in wanted.if_match:
        raise precondition_failed()
    return int(row["entity_version"])


def _answer(result: dict[str, Any], body: dict[str, Any], status: int) -> Response:
    response = written(result, body, status)
    if result.get("entityVersion") is not None:
        response.headers["ETag"] = etag(result["entityVersion"])
    return response
