"""Headers in the OpenAPI document: conditions and idempotency keys of writes, and response headers."""

from __future__ import annotations

from typing import Any, Final

from api.preconditions import LOCK_HEADER

_DEPRECATED_PATHS: Final = ("/api/customers/activities", "/api/customers/todos")
#: Ends of the paths of writes by POST that change a row with a version.
_ACTIONS: Final = (
    "/complete", "/cancel", "/reopen", "/fix", "/resolve", "/skip", "/mark-sent", "/restore"
)  # fmt: skip
#: Writes of resources without a version.
_UNVERSIONED: Final = ("/api/customers/interaction-types", "/api/customers/flags")


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


_CONDITIONS: Final = (
    _parameter(
        "If-Match",
        "The `ETag` that was read. Any other stored version is answered 412.",
        {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}")$'},
    ),
    _parameter(
        LOCK_HEADER,
        "For old clients: the `updatedAt` that was read. Any other is answered 409 `record_modified`.",
        {"type": "string", "format": "date-time"},
    ),
)
_KEY: Final = _parameter(
    "Idempotency-Key",
    "Makes retries safe: the same key with the same content gets the first response.",
    {"type": "string", "pattern": r"^[!-~]{1,200}$"},
)


def _header(description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": {"type": "string", **schema}}


_DEPRECATED: Final = {
    "Deprecation": _header(
        "Date of deprecation: `@` and seconds since 1970.", required=True, pattern="^@-?[0-9]+$"
    ),
    "Sunset": _header("Date from which the route may be removed (HTTP date).", required=True),
    "Link": _header("The migration page and the successor route.", required=True),
}
_ETAG: Final = _header("The version that was read or written.", pattern='^"[0-9]+"$')
_OPERATION: Final = _header("`omop:` and percent-encoded JSON with the undo token.", pattern="^omop:")
_OF_STATUS: Final = {
    "429": {"Retry-After": _header("Seconds to wait before a retry.", pattern="^[0-9]+$")},
    "503": {"Retry-After": _header("Seconds to wait before a retry.", pattern="^[0-9]+$")},
    "504": {"Location": _header("Address of the command's status.")},
}


def add_headers(path: str, method: str, operation: dict[str, Any]) -> None:
    """Describe the request and response headers of one authorized operation."""
    if method != "GET":
        operation["parameters"] = [*operation.get("parameters", ()), *_request_headers(path, method)]
    for status, answer in operation["responses"].items():
        headers = dict(_OF_STATUS.get(status, {}))
        if status in ("200", "201") and method != "GET":
            headers |= {"ETag": _ETAG, "x-om-operation": _OPERATION}
        if operation.get("deprecated"):
            headers |= _DEPRECATED
        if headers:
            answer["headers"] = {**headers, **answer.get("headers", {})}


def _request_headers(path: str, method: str) -> list[dict[str, Any]]:
    if path.endswith(("/decide", "/integrations/{integration}")):
        return []
    found: list[dict[str, Any]] = []
    changes = method in ("PUT", "DELETE") or path.endswith(_ACTIONS)
    if changes and path not in _UNVERSIONED:
        found += _CONDITIONS
    if method == "POST" or path not in _DEPRECATED_PATHS:
        found.append(_KEY)
    return found
