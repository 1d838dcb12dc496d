"""Errors as people and programs read them: problem+json (RFC 9457) with ``error`` for old clients."""

from __future__ import annotations

import math
import traceback
from typing import Any, Final
from urllib.parse import quote

import orjson
import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from api.rate_limit import TooManyRequests
from schemas.errors import Conflict, FieldError, InteractionsError, NeedsAuth, Reject, Retry
from schemas.validation import field_errors

_log = structlog.get_logger("gateway")
PROBLEM_JSON: Final = "application/problem+json"
_TITLES: Final = {
    404: ("not_found", "there is nothing here under this address"),
    405: ("method_not_allowed", "this address does not take this method"),
    415: ("unsupported_media_type", "send the body as application/json"),
}


class UnknownOutcome(InteractionsError):
    """The command was sent, and what became of it is not known yet (504).

    :param command_id: under which its fate can be asked for.
    """

    def __init__(self, command_id: str) -> None:
        super().__init__("the outcome of the command is not known yet; ask for it under commandUrl")
        self.command_id = command_id


class DecisionPending(InteractionsError):
    """A decision on an integration or its warnings was sent, and its outcome is not known yet (504)."""

    def __init__(self) -> None:
        super().__init__(
            "the decision was sent and the connectors have not carried it out yet: it is done once they run;"
            " the same request may be repeated"
        )


class NotModified(Exception):
    """The client has what it asks for.

    :param tag: the current ``ETag``.
    """

    def __init__(self, tag: str) -> None:
        super().__init__(tag)
        self.tag = tag


class LegacyError(Reject):
    """A rejection with the ``error`` text (and other members) that old clients compare.

    :param error: the member ``error``, byte for byte.
    :param members: further members of the body.
    """

    def __init__(
        self, code: str, detail: str, *, error: str, status: int, pointer: str | None = None, **members: Any
    ) -> None:
        super().__init__(code, detail, status=status, pointer=pointer)
        self.error = error
        self.members = members


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    error: str | None = None,
    headers: dict[str, str] | None = None,
    **members: Any,
) -> Response:
    """One problem: ``error`` is what old clients read, the other members are those of RFC 9457."""
    body = {
        "type": f"urn:customer-interactions:problem:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "code": code,
        "detail": detail,
        "error": error if error is not None else detail,
        **members,
    }
    return Response(orjson.dumps(body), status_code=status, media_type=PROBLEM_JSON, headers=headers)


def command_url(command_id: str) -> str:
    """Where the fate of a command is told."""
    return f"/api/customers/commands/{quote(command_id, safe='')}"


def response_of(failure: InteractionsError) -> Response:
    """The answer to a failure of ours."""
    if isinstance(failure, UnknownOutcome):
        url = command_url(failure.command_id)
        return problem_response(
            504,
            "outcome_unknown",
            str(failure),
            headers={"Location": url, "Retry-After": "2"},
            commandId=failure.command_id,
            commandUrl=url,
        )
    if isinstance(failure, DecisionPending):
        return problem_response(504, "outcome_unknown", str(failure), headers={"Retry-After": "2"})
    if isinstance(failure, NeedsAuth):
        return problem_response(
            401, "unauthorized", str(failure), error="Unauthorized", headers={"WWW-Authenticate": "Bearer"}
        )
    if isinstance(failure, Retry):
        after = str(max(1, math.ceil(failure.after or 2)))
        return problem_response(503, "unavailable", str(failure), headers={"Retry-After": after})
    if isinstance(failure, Conflict):
        return problem_response(409, "conflict", str(failure))
    if isinstance(failure, Reject):
        return _rejection(failure)
    _log.error("gateway.failed", error=type(failure).__name__)
    return problem_response(500, "internal_error", "something went wrong here; it was logged")


def _rejection(failure: Reject) -> Response:
    members: dict[str, Any] = {}
    headers: dict[str, str] = {}
    error: str | None = None
    if failure.errors:
        members["errors"] = [item.to_json() for item in failure.errors]
    if isinstance(failure, LegacyError):
        error = failure.error
        members.update(failure.members)
    if failure.code == "validation_failed":
        error = "Validation failed"
        members["details"] = [_detail(item) for item in failure.errors]
    if failure.status == 403:
        error = "Forbidden"
    if isinstance(failure, TooManyRequests):
        headers["Retry-After"] = str(max(1, math.ceil(failure.after)))
    return problem_response(
        failure.status,
        members.pop("code", failure.code),
        failure.detail,
        error=error,
        headers=headers,
        **members,
    )


def _detail(item: FieldError) -> dict[str, Any]:
    """One entry of ``details`` as old clients read it: the path as a list, the message."""
    path = [part.replace("~1", "/").replace("~0", "~") for part in (item.pointer or "").split("/")[1:]]
    return {"path": path, "message": item.detail, "code": item.code}


def validation_failed(errors: tuple[FieldError, ...]) -> Reject:
    """The 400 of a body or query that is not valid."""
    where = ", ".join(sorted({item.pointer or item.attribute or "/" for item in errors}))
    return Reject("validation_failed", f"the request is not valid at {where}", errors=errors)


def _allowed(request: Request) -> list[str]:
    """Every method of an address (RFC 9110, section 10.2.1); each of them is a route of its own."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= route.methods or set()
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def install_handlers(app: FastAPI) -> None:
    """Let every error of the app become a problem; nothing of our insides is shown."""

    @app.exception_handler(InteractionsError)
    async def ours(_request: Request, failure: InteractionsError) -> Response:
        return response_of(failure)

    @app.exception_handler(NotModified)
    async def unchanged(_request: Request, failure: NotModified) -> Response:
        return Response(status_code=304, headers={"ETag": failure.tag})

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, failure: RequestValidationError) -> Response:
        return response_of(validation_failed(field_errors(failure.errors(), request=True)))

    @app.exception_handler(HTTPException)
    async def http(request: Request, failure: HTTPException) -> Response:
        if failure.status_code == 400:
            # FastAPI's word for a body that is not even text.
            return response_of(
                validation_failed((FieldError("malformed_json", "the body is not JSON in UTF-8", ""),))
            )
        code, detail = _TITLES.get(failure.status_code, ("bad_request", "the request cannot be read"))
        headers = dict(failure.headers) if failure.headers else None
        if failure.status_code == 405:
            headers = {"Allow": ", ".join(_allowed(request))}
        return problem_response(failure.status_code, code, detail, headers=headers)

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, failure: Exception) -> Response:
        # Neither the message nor the locals: both may hold customer text.
        place = traceback.extract_tb(failure.__traceback__)[-1]
        _log.error("gateway.failed", error=type(failure).__name__, place=f"{place.filename}:{place.lineno}")
        return problem_response(500, "internal_error", "something went wrong here; it was logged")
