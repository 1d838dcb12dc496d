"""Inbox for a simulated vendor's webhooks; stores every delivery as received."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


class WebhookInbox:
    """Webhook endpoint that stores its deliveries.

    :ivar statuses: statuses of the next responses; 200 after them.
    :ivar head: status of responses to HEAD.
    """

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.head = 200
        self.deliveries: list[tuple[dict[str, str], bytes]] = []

    def app(self) -> Starlette:
        """The inbox as an ASGI app."""
        return Starlette(routes=[Route("/{path:path}", self._receive, methods=["POST", "GET", "HEAD"])])

    async def _receive(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(status_code=self.head)
        self.deliveries.append((dict(request.headers), await request.body()))
        return Response(status_code=self.statuses.pop(0) if self.statuses else 200)
