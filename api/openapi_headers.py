"""Headers in the OpenAPI document: conditions and keys of writes, and what answers carry."""

from __future__ import annotations

from typing import Any, Final

from api.preconditions import LOCK_HEADER

_OLD: Final = ("/api/customers/activities", "/api/customers/todos")
_TURNS: Final = ("/complete", "/cancel", "/reopen")
#: Writes that have no version to expect.
_WITHOUT_VERSION: Final = ("/api/customers/interaction-types", "/api/customers/flags")


def _parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


_CONDITIONS: Final = (
    _parameter(
        "If-Match",
        "The `ETag` that was read; another stored version is answered 412.",
        {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}")$'},
    ),
    _parameter(
        LOCK_HEADER,
        "The `updatedAt` that was read, for old clients; another one is answered 409 `record_modified`.",
        {"type": "string", "format": "date-time"},
    ),
)
_KEY: Final = _parameter(
    "Idempotency-Key",
    "Makes a retry safe: the same key with the same content gets the first answer.",
    {"type": "string", "pattern": r"^[!-~]{1,200}$"},
)


def _header(description: str, *, required: bool = False, **schema: Any) -> dict[str, Any]:
    return {"description": description, "required": required, "schema": {"type": "string", **schema}}


_DEPRECATED: Final = {
    "Deprecation": _header("Since when: `@` and seconds since 1970.", required=True, pattern="^@-?[0-9]+$"),
    "Sunset": _header("From when the route may be gone, as an HTTP date.", required=True),
    "Link": _header("The migration page, and the successor.", required=True),
}
_ETAG: Final = _header("The version of what was read or written.", pattern='^"[0-9]+"$')
_OPERATION: Final = _header("`omop:` and percent-encoded JSON with the undo token.", pattern="^omop:")
_OF_STATUS: Final = {
    "429": {"Retry-After": _header("Seconds.", pattern="^[0-9]+$")},
    "503": {"Retry-After": _header("Seconds.", pattern="^[0-9]+$")},
    "504": {"Location": _header("Where the command's fate can be read.")},
}


def add_headers(path: str, method: str, operation: dict[str, Any]) -> None:
    """Describe the headers of one guarded operation and of its answers."""
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
    changes = method in ("PUT", "DELETE") or path.endswith(_TURNS)
    if changes and path not in _WITHOUT_VERSION:
        found += _CONDITIONS
    if method == "POST" or path not in _OLD:
        found.append(_KEY)
    return found
