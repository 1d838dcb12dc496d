"""Checks of a request before its handler: content type, query parameters, repeated headers and members."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final, get_origin

from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from api.problems import validation_failed
from schemas.errors import FieldError, Reject
from schemas.unique_members import pointer_of, repeated_member

_JSON: Final = re.compile(r"application/(json|[^/]+\+json)")
#: Headers that may occur once. With two, it would be unclear which one counts.
_SINGLE_HEADERS: Final = (
    "authorization",
    "idempotency-key",
    "last-event-id",
    "x-om-ext-optimistic-lock-expected-updated-at",
)


def check_single_headers(request: Request) -> None:
    """Reject a repeated header that may occur once.

    :raises Reject: 400, with the name of the header.
    """
    for name in _SINGLE_HEADERS:
        if len(request.headers.getlist(name)) > 1:
            raise validation_failed((FieldError("repeated_header", "must not be repeated", attribute=name),))


def check_content_type(request: Request) -> None:
    """Reject a body that is not declared as JSON, such as the default of ``curl -d``.

    :raises Reject: 415.
    """
    has_body = request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if has_body and not _JSON.fullmatch(kind):
        raise Reject(
            "unsupported_media_type",
            "Send the body with the header Content-Type: application/json.",
            status=415,
        )


async def check_members(request: Request) -> None:
    """Reject a JSON body with two members of one name in an object: parsers differ in which one counts.

    A body that cannot be read is left to the route, which rejects it.

    :raises Reject: 400, with a pointer to the member.
    """
    try:
        text, parsed = await request.body(), await request.json()
    except (ValueError, RecursionError, ClientDisconnect):
        return
    path = repeated_member(text, parsed) if isinstance(parsed, dict) else None
    if path is not None:
        # Hazard: a name may be a lone surrogate, which no response can carry.
        pointer = pointer_of(path).encode(errors="replace").decode()
        raise validation_failed((FieldError("repeated_member", "must not be repeated", pointer),))


def check_query(request: Request, known: Mapping[str, bool]) -> None:
    """Reject parameters that FastAPI would ignore: unknown ones, and repeated ones that may occur once.

    :param known: parameter → whether it may be repeated.
    :raises Reject: 400, with the name of each.
    """
    errors = []
    for name in dict.fromkeys(request.query_params.keys()):
        shown = name[:200]
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            errors.append(
                FieldError("unknown_parameter", f"is not a parameter of this route{hint}", attribute=shown)
            )
        elif not known[name] and len(request.query_params.getlist(name)) > 1:
            detail = "must not be repeated; separate several values by commas, if the parameter accepts them"
            errors.append(FieldError("repeated_parameter", detail, attribute=shown))
    if errors:
        raise validation_failed(tuple(errors[:20]))


def query_parameters(route: APIRoute) -> dict[str, bool]:
    """The query parameters of a route → whether one may be repeated."""
    found: dict[str, bool] = {}
    dependants = [route.dependant]
    for dependant in dependants:
        dependants.extend(dependant.dependencies)
    for field in (field for dependant in dependants for field in dependant.query_params):
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            found.update(
                {info.alias or name: _is_list(info.annotation) for name, info in model.model_fields.items()}
            )
        else:
            found[field.alias] = _is_list(model)
    return found


def _is_list(annotation: object) -> bool:
    return get_origin(annotation) is list
