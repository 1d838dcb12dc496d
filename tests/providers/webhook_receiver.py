"""Webhook receiver that verifies deliveries with the Standard Webhooks library."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

import httpx2
import orjson
from standardwebhooks.webhooks import Webhook
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SECRET: Final = f"whsec_{base64.b64encode(bytes(range(32))).decode()}"


@dataclass(frozen=True, slots=True)
class Received:
    """One verified delivery."""

    id: str
    signature: str
    event: dict[str, Any]
    size: int


class WebhookReceiver:
    """Store verified deliveries.

    :ivar status: status of its responses.
    """

    def __init__(self) -> None:
        self.status = 204
        self.headers: dict[str, str] = {}
        self.received: list[Received] = []

    def app(self) -> Starlette:
        """The receiver as an ASGI app, for every path."""
        return Starlette(routes=[Route("/{path:path}", self._receive, methods=["POST", "GET"])])

    async def _receive(self, request: Request) -> Response:
        body = await request.body()
        Webhook(SECRET).verify(body.decode(), dict(request.headers))  # raises on failure, which answers 500
        headers = request.headers
        told = Received(headers["webhook-id"], headers["webhook-signature"], orjson.loads(body), len(body))
        self.received.append(told)
        return Response(status_code=self.status, headers=self.headers)


class ToLoopback(httpx2.HTTPTransport):
    """Send requests for any https URL to one test server, without TLS."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = httpx2.URL(address)
        #: Requested hosts.
        self.hosts: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.hosts.append(request.url.host)
        request.url = request.url.copy_with(scheme="http", host=self._address.host, port=self._address.port)
        request.extensions = {**request.extensions, "sni_hostname": None}
        return super().handle_request(request)
