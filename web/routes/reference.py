"""``/docs/api`` and ``/docs/events``: the OpenAPI and AsyncAPI documents as pages. They are public."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request, Response

from schemas.asyncapi import current_document
from schemas.errors import Reject
from web.filters import text_filter
from web.page_route import page_router
from web.reference.messages import message_of, topics_of
from web.reference.operations import operation_of, operations_of
from web.rendering import plain_page
from web.viewer import language_of_request

router = page_router()
_API: Final = "/docs/api"
_EVENTS: Final = "/docs/events"


@router.get(_API)
async def operations(request: Request) -> Response:
    """Operations of the HTTP interface by heading, or those that a search finds."""
    search = text_filter(request.query_params.get("q"))
    found = operations_of(request.app.openapi(), search)
    return _page(request, "reference/operations.html", here="api", search=search, groups=found)


@router.get(_API + "/{operation_id}")
async def operation(operation_id: str, request: Request) -> Response:
    """One operation: parameters, body, responses."""
    found = operation_of(request.app.openapi(), operation_id)
    if found is None:
        raise Reject("not_found", "The HTTP interface does not have this operation.", status=404)
    return _page(request, "reference/operation.html", here="api", view=found)


@router.get(_EVENTS)
async def topics(request: Request) -> Response:
    """Messages by topic, or those that a search finds."""
    search = text_filter(request.query_params.get("q"))
    found = topics_of(current_document(), search)
    return _page(request, "reference/topics.html", here="events", search=search, topics=found)


@router.get(_EVENTS + "/{name}")
async def message(name: str, request: Request) -> Response:
    """One message: topic, key, headers and value."""
    found = message_of(current_document(), name)
    if found is None:
        raise Reject("not_found", "No topic has this message.", status=404)
    return _page(request, "reference/message.html", here="events", view=found)


def _page(request: Request, template: str, **values: Any) -> Response:
    words = language_of_request(request)
    return plain_page(template, status=200, words=words, t=words.text, **values)
