"""Build the OpenAPI document: required features and every status of each route."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.authorization import api_routes, requirement_of
from api.openapi_headers import add_headers

#: Error statuses of every authorized route.
_ANY_AUTHORIZED: Final = {
    "400": "Invalid request",
    "401": "Missing or invalid token",
    "403": "Missing feature",
    "413": "Body too large",
    "429": "Too many requests",
    "503": "Database or broker unavailable",
}
#: Further error statuses of every write.
_ANY_WRITE: Final = {
    "409": "Conflict",
    "410": "Customer erased",
    "412": "Version does not match If-Match",
    "415": "Body not declared as JSON",
    "422": "Idempotency-Key reused with other content",
    "504": "Outcome not known yet",
}
_PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
_PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457 problem; `error` is for old clients.",
    "required": ["type", "title", "status", "code", "detail", "error"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "error": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "pointer": {"type": "string", "description": "JSON pointer into the body."},
                    "attribute": {"type": "string", "description": "Parameter or event attribute."},
                },
            },
        },
        "details": {"type": "array", "items": {"type": "object"}},
        "commandId": {"type": "string"},
        "commandUrl": {"type": "string"},
    },
}


def describe(app: FastAPI) -> None:
    """Make the app build its document on first use, and keep it."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version="1",
        description="Read customer interactions, and change them by confirmed commands.",
        routes=app.routes,
    )
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Problem"] = _PROBLEM_SCHEMA
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    for route in api_routes(app):
        requirement = requirement_of(route)
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None and requirement is not None:
                _describe_operation(operation, requirement.any_of, write=method != "GET")
                add_headers(route.path_format, method, operation)
    return document


def _describe_operation(operation: dict[str, Any], any_of: tuple[str, ...], *, write: bool) -> None:
    operation["security"] = [{"bearer": []}]
    if any_of:
        operation["x-required-features"] = {"anyOf": list(any_of)}
    responses = operation["responses"]
    if responses.get("422", {}).get("description") == "Validation Error":
        del responses["422"]
    for status, description in {**_ANY_AUTHORIZED, **(_ANY_WRITE if write else {})}.items():
        responses.setdefault(status, {"description": description})
    for status, response in responses.items():
        if status >= "400":
            response["content"] = {"application/problem+json": {"schema": _PROBLEM}}
    operation["responses"] = dict(sorted(responses.items()))
