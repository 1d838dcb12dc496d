"""What a write is conditional on: ``If-Match``, the old clients' lock header, and ``Idempotency-Key``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import Request

from api.command_gateway import CommandGateway, CommandRequest, Rejection, keyed_command_id
from api.instants import instant_text
from api.principal import Principal
from api.problems import LegacyError
from api.queries.command_status import CommandStatus, command_status
from api.queries.interaction_head import Head, head_of
from api.queries.scope import Connection
from api.services import Services
from schemas.errors import FieldError, Reject
from schemas.instants import parse_instant

LOCK_HEADER: Final = "x-om-ext-optimistic-lock-expected-updated-at"
_KEY: Final = re.compile(r"[\x20-\x7e]{1,200}")
#: A version, as a write answers it, or with the fingerprint that a read adds to it.
_ETAG: Final = re.compile(r'"([0-9]{1,18})(?:-[0-9a-f]{16})?"')


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditional headers of one request.

    :param if_match: the versions named; ``None`` without the header; empty for ``*``.
    :param if_none_match: likewise, of ``If-None-Match``.
    :param updated_at: what the old lock header names.
    :param idempotency_key: without the quotes of a structured field.
    """

    if_match: tuple[int, ...] | None
    updated_at: datetime | None
    idempotency_key: str | None
    if_none_match: tuple[int, ...] | None = None


def preconditions_of(request: Request) -> Preconditions:
    """Read the headers.

    :raises Reject: a header cannot be read (400); an ETag that is none of ours never matches (412).
    """
    return Preconditions(
        # RFC 9110, section 5.3: several lines of a list are one list.
        if_match=_if_match(request.headers.getlist("if-match")),
        updated_at=_updated_at(request.headers.get(LOCK_HEADER)),
        idempotency_key=_key(request.headers.get("idempotency-key")),
        if_none_match=_if_none_match(request.headers.getlist("if-none-match")),
    )


def _if_match(lines: list[str]) -> tuple[int, ...] | None:
    if not lines:
        return None
    given = ", ".join(lines)
    if given.strip() == "*":
        return ()
    # RFC 9110, section 13.1.1: strong comparison, so a weak tag never matches.
    found = tuple(
        int(match[1]) for part in given.split(",") if (match := _ETAG.fullmatch(part.strip())) is not None
    )
    if not found:
        raise precondition_failed()
    return found


def _if_none_match(lines: list[str]) -> tuple[int, ...] | None:
    given = ", ".join(lines)
    if given.strip() == "*":
        return ()
    # Section 13.1.2: weak comparison. A tag that is not of this interface matches nothing.
    tags = (_ETAG.fullmatch(part.strip().removeprefix("W/")) for part in given.split(","))
    return tuple(int(match[1]) for match in tags if match is not None) or None


def _updated_at(given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        return parse_instant(given)
    except ValueError as error:
        raise _bad_header(LOCK_HEADER, str(error)) from None


def _key(given: str | None) -> str | None:
    if given is None:
        return None
    text = given.strip()
    if len(text) >= 2 and text.startswith('"') and text.endswith('"'):
        text = text[1:-1]
    if not _KEY.fullmatch(text):
        raise _bad_header("Idempotency-Key", "must be a text of 1 to 200 printable ASCII characters")
    return text


def _bad_header(name: str, detail: str) -> Reject:
    return Reject(
        "validation_failed",
        f"the header {name} {detail}",
        errors=(FieldError("invalid_header", detail, attribute=name),),
    )


def precondition_failed() -> Reject:
    """412: the stored version is not the one that If-Match names."""
    return Reject(
        "precondition_failed",
        "the record has another version than the request's condition allows; read it again",
        status=412,
    )


def record_modified(expected: datetime, current: datetime | None) -> Reject:
    """409 as old clients know it; ``current`` is ``None`` when the row is gone."""
    return LegacyError(
        "optimistic_lock_conflict",
        "the record was changed or removed since it was read; read it again",
        error="record_modified",
        status=409,
        currentUpdatedAt=instant_text(current),
        expectedUpdatedAt=instant_text(expected),
    )


async def change(
    services: Services,
    request: Request,
    principal: Principal,
    kind: str,
    interaction_id: str,
    data: dict[str, Any],
) -> dict[str, Any]:
    """Carry out a command on an existing interaction, under the conditions of the request's headers.

    The conditions travel as the command's expected version, so the applier checks them in the very
    transaction that writes. A repeated request (same key) is not checked again: it gets its first result.

    :param kind: the command type without ``customers.``.
    :raises Reject: no such interaction here (404), a condition does not hold (409, 412), or the rules
        refuse it.
    """
    wanted = preconditions_of(request)
    route = f"{request.method} {request.url.path}"
    head, status = await _current_state(services, principal, interaction_id, wanted.idempotency_key, route)
    expected: int | None = None
    if status is None:
        if head is None:
            if wanted.updated_at is not None:
                raise record_modified(wanted.updated_at, None)
            raise not_found()
        expected = expected_version(wanted, head.version, head.updated_at)
    entity_id = status.entity_id if status is not None and status.entity_id is not None else None
    if entity_id is None:
        if head is None:
            raise not_found()
        entity_id = head.entity_id
    command = CommandRequest(
        principal=principal,
        kind=kind,
        entity_id=entity_id,
        data=data,
        idempotency_key=wanted.idempotency_key,
        route=route,
        expected_version=expected,
    )
    return await _execute(services, command, wanted, interaction_id)


async def _execute(
    services: Services, command: CommandRequest, wanted: Preconditions, interaction_id: str
) -> dict[str, Any]:
    commands: CommandGateway = services.commands
    try:
        return await commands.execute(command)
    except Rejection as rejection:
        if rejection.code == "interaction_not_found" and wanted.updated_at is not None:
            raise record_modified(wanted.updated_at, None) from None
        if rejection.code != "version_conflict":
            raise
        if wanted.updated_at is None:
            raise precondition_failed() from None
        async with services.reads.connection() as connection:
            now = await head_of(connection, command.principal.scope, interaction_id)
        raise record_modified(wanted.updated_at, now.updated_at if now is not None else None) from None


async def _current_state(
    services: Services, principal: Principal, interaction_id: str, key: str | None, route: str
) -> tuple[Head | None, CommandStatus | None]:
    async with services.reads.connection() as connection:
        status = await status_of_key(connection, principal, route, key)
        if status is not None and status.entity_id is not None:
            return None, status
        return await head_of(connection, principal.scope, interaction_id), status


def expected_version(wanted: Preconditions, version: int, updated_at: datetime) -> int | None:
    """The version that the applier must find, from what the client has seen of the stored row.

    :raises Reject: a condition does not hold now (409, 412).
    """
    if wanted.updated_at is not None:
        # Old clients have read it with milliseconds.
        if abs(updated_at - wanted.updated_at) >= timedelta(milliseconds=1):
            raise record_modified(wanted.updated_at, updated_at)
        return version
    if wanted.if_none_match is not None and (not wanted.if_none_match or version in wanted.if_none_match):
        raise precondition_failed()
    if wanted.if_match is None or wanted.if_match == ():
        return version if wanted.if_none_match is not None else None
    if version not in wanted.if_match:
        raise precondition_failed()
    return version


async def status_of_key(
    connection: Connection, principal: Principal, route: str, key: str | None
) -> CommandStatus | None:
    """The fate of the command that an ``Idempotency-Key`` stands for; ``None``: not carried out yet."""
    if key is None:
        return None
    return await command_status(connection, principal.scope, keyed_command_id(principal, route, key))


def not_found() -> Reject:
    """404, the same for an id of another tenant as for one that nobody has."""
    return Reject("interaction_not_found", "there is no interaction with this id", status=404)
