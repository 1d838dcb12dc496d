"""Preconditions of writes: ``If-Match``, the old clients' lock header, and ``Idempotency-Key``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from fastapi import Request

from api.command_gateway import keyed_command_id
from api.instants import instant_text
from api.principal import Principal
from api.problems import LegacyError
from api.queries.command_status import CommandStatus, command_status
from api.queries.scope import Connection
from schemas.errors import FieldError, Reject
from schemas.instants import parse_instant

LOCK_HEADER: Final = "x-om-ext-optimistic-lock-expected-updated-at"
_KEY: Final = re.compile(r"[\x20-\x7e]{1,200}")
#: A version as in the response of a write, or with the fingerprint that a read appends.
_ETAG: Final = re.compile(r'"([0-9]{1,18})(?:-[0-9a-f]{16})?"')


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The conditional headers of one request.

    :param if_match: versions of ``If-Match``; empty for ``*``; ``None`` without the header.
    :param if_none_match: likewise for ``If-None-Match``.
    :param updated_at: timestamp of the old lock header.
    :param idempotency_key: without the quotes of a structured field.
    """

    if_match: tuple[int, ...] | None
    updated_at: datetime | None
    idempotency_key: str | None
    if_none_match: tuple[int, ...] | None = None


def preconditions_of(request: Request) -> Preconditions:
    """Parse the conditional headers.

    :raises Reject: a header is malformed (400); ``If-Match`` contains no ETag of this API (412).
    """
    return Preconditions(
        # RFC 9110, section 5.3: several lines of a list field are one list.
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
    # Section 13.1.2: weak comparison. A tag that is not of this API matches nothing.
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
        raise _bad_header("Idempotency-Key", "must have 1 to 200 printable ASCII characters")
    return text


def _bad_header(name: str, detail: str) -> Reject:
    return Reject(
        "validation_failed",
        f"The header {name} {detail}.",
        errors=(FieldError("invalid_header", detail, attribute=name),),
    )


def precondition_failed() -> Reject:
    """412: the stored version does not match ``If-Match``."""
    return Reject(
        "precondition_failed",
        "The stored version does not match the condition. Nothing was changed; read the record again.",
        status=412,
    )


def record_modified(expected: datetime, current: datetime | None) -> Reject:
    """409 as old clients expect it; ``current`` is ``None`` if the row was deleted."""
    return LegacyError(
        "optimistic_lock_conflict",
        "The record was changed or deleted after it was read. Nothing was changed; read it again.",
        error="record_modified",
        status=409,
        currentUpdatedAt=instant_text(current),
        expectedUpdatedAt=instant_text(expected),
    )


def expected_version(preconditions: Preconditions, version: int, updated_at: datetime) -> int | None:
    """The version that the applier must find, derived from the preconditions and the stored row.

    :raises Reject: a precondition fails already (409, 412).
    """
    if preconditions.updated_at is not None:
        # Old clients read timestamps with millisecond precision.
        if abs(updated_at - preconditions.updated_at) >= timedelta(milliseconds=1):
            raise record_modified(preconditions.updated_at, updated_at)
        return version
    if preconditions.if_none_match is not None and (
        not preconditions.if_none_match or version in preconditions.if_none_match
    ):
        raise precondition_failed()
    if preconditions.if_match is None or preconditions.if_match == ():
        return version if preconditions.if_none_match is not None else None
    if version not in preconditions.if_match:
        raise precondition_failed()
    return version


async def status_of_key(
    connection: Connection, principal: Principal, route: str, key: str | None
) -> CommandStatus | None:
    """The status of the command with this ``Idempotency-Key``; ``None`` if it was not executed yet."""
    if key is None:
        return None
    return await command_status(connection, principal.scope, keyed_command_id(principal, route, key))
