"""Error responses: problem+json (RFC 9457), with ``error`` for old clients."""

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
    404: ("not_found", "There is no resource at this address."),
    405: ("method_not_allowed", "This address does not support this method."),
    415: ("unsupported_media_type", "Send the body with the header Content-Type: application/json."),
}
INTERNAL_ERROR: Final = "Internal error; it was logged."
_UNKNOWN: Final = (
    "The command was sent and its outcome is not known yet. Request commandUrl for it,"
    " or repeat the request with the same Idempotency-Key."
)


class UnknownOutcome(InteractionsError):
    """The command was sent, and its outcome is not known yet (504).

    :param command_id: id under which its status can be requested.
    """

    def __init__(self, command_id: str, detail: str = _UNKNOWN) -> None:
        super().__init__(detail)
        self.command_id = command_id


class DraftPending(UnknownOutcome):
    """A signal is being resolved, and neither a draft nor a failure is stored yet (504).

    :param signal_id: the signal, which shows both.
    """

    def __init__(self, command_id: str, signal_id: str) -> None:
        super().__init__(
            command_id,
            "The signal is being resolved; no draft is stored yet. Read the signal for the draft or the"
            " failure, or repeat the request with the same Idempotency-Key.",
        )
        self.signal_id = signal_id


class DecisionPending(InteractionsError):
    """A decision on an integration or its warnings was sent, and its outcome is not known yet (504)."""

    def __init__(self) -> None:
        super().__init__(
            "The decision was sent. The connectors have not executed it yet and do so once they run."
            " Repeating the request is safe."
        )


class NotModified(Exception):
    """The client's copy is current (304).

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
    """Build a problem response. Old clients read ``error``; the other members are those of RFC 9457."""
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
    """The address of a command's status."""
    return f"/api/customers/commands/{quote(command_id, safe='')}"


def response_of(failure: InteractionsError) -> Response:
    """The response to an error of this project."""
    if isinstance(failure, UnknownOutcome):
        url = command_url(failure.command_id)
        members = {"signalId": failure.signal_id} if isinstance(failure, DraftPending) else {}
        return problem_response(
            504,
            "outcome_unknown",
            str(failure),
            headers={"Location": url, "Retry-After": "2"},
            commandId=failure.command_id,
            commandUrl=url,
            **members,
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
    return problem_response(500, "internal_error", "Internal error; it was logged.")


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
    """One entry of ``details`` as old clients read it: the path as a list, and the message."""
    path = [part.replace("~1", "/").replace("~0", "~") for part in (item.pointer or "").split("/")[1:]]
    return {"path": path, "message": item.detail, "code": item.code}


def validation_failed(errors: tuple[FieldError, ...]) -> Reject:
    """400 for an invalid body, query or header."""
    where = ", ".join(sorted({item.pointer or item.attribute or "/" for item in errors}))
    return Reject("validation_failed", f"The request is invalid at {where}.", errors=errors)


def _allowed(request: Request) -> list[str]:
    """Every method of an address (RFC 9110, section 10.2.1). Each method is a separate route."""
    methods: set[str] = set()
    for route in request.app.router.routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    # Below a mount no route of the application matches: it serves files.
    methods = methods or {"GET"}
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))


def log_unexpected(failure: Exception) -> None:
    """Log an error that no code expects."""
    # Hazard: the message and the locals may contain customer text. Log the type and the line only.
    place = traceback.extract_tb(failure.__traceback__)[-1]
    _log.error("gateway.failed", error=type(failure).__name__, place=f"{place.filename}:{place.lineno}")


def install_handlers(app: FastAPI) -> None:
    """Turn every error of the app into a problem response that reveals no internals."""

    @app.exception_handler(InteractionsError)
    async def project_error(_request: Request, failure: InteractionsError) -> Response:
        return response_of(failure)

    @app.exception_handler(NotModified)
    async def not_modified(_request: Request, failure: NotModified) -> Response:
        return Response(status_code=304, headers={"ETag": failure.tag})

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, failure: RequestValidationError) -> Response:
        return response_of(validation_failed(field_errors(failure.errors(), request=True)))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, failure: HTTPException) -> Response:
        if failure.status_code == 400:
            # FastAPI raises this for a body that is not UTF-8 text.
            return response_of(validation_failed((FieldError("malformed_json", "is not JSON in UTF-8", ""),)))
        code, detail = _TITLES.get(failure.status_code, ("bad_request", "The request is malformed."))
        headers = dict(failure.headers) if failure.headers else None
        if failure.status_code == 405:
            headers = {"Allow": ", ".join(_allowed(request))}
        return problem_response(failure.status_code, code, detail, headers=headers)

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, failure: Exception) -> Response:
        log_unexpected(failure)
        return problem_response(500, "internal_error", INTERNAL_ERROR)
