"""ASGI application of the connectors role: webhooks at ``/webhooks/{integrationId}``, and health checks.

It runs here rather than in the gateway because verifying a signature needs the provider's code and secrets,
which the gateway may not have. A deployment with one public URL routes this path here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from connectors.sdk.addresses import is_public
from connectors.sdk.remote import RemoteChange
from connectors.service.health import RoleHealth
from connectors.service.integration_events import IntegrationEvents
from connectors.service.open_session import callback_url
from connectors.service.registry import IntegrationRegistry
from connectors.service.webhook_receiver import Receipt, receive_webhook
from connectors.sync.session import Session
from runtime.postgres import Outage, connect
from runtime.settings import Settings
from schemas.errors import InteractionsError, Reject

_log = structlog.get_logger("connectors")
MOST_BYTES: Final = 1024 * 1024
#: Hazard: without this limit a sender that stops halfway keeps its connection and its body in memory.
_BODY_SECONDS: Final = 20.0
#: After this time the sender is told to retry, even if the database or Kafka has not answered.
_RECEIVE_SECONDS: Final = 10.0
_HEADERS: Final = {
    408: {"connection": "close"},
    503: {"retry-after": "30"},
}


class WebhookApp:
    """Receive webhooks for every provider session in the registry.

    :param wake: called when there may be new work.
    """

    def __init__(
        self,
        settings: Settings,
        registry: IntegrationRegistry,
        events: IntegrationEvents,
        public_url: str | None,
        wake: Callable[[], None],
        health: RoleHealth,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._events = events
        self._public_url = public_url
        self._wake = wake
        self._health = health
        self._app = Starlette(
            routes=[
                Route("/healthz", self._healthz),
                Route("/readyz", self._readyz),
                Route("/metrics", _metrics),
                Route("/webhooks/{integration_id}", self._webhook, methods=["GET", "POST"]),
            ],
            exception_handlers={404: _not_found, 405: _method_not_allowed},
        )
        self._app.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _healthz(self, _: Request) -> JSONResponse:
        return _response(*self._health.healthz())

    async def _readyz(self, request: Request) -> JSONResponse:
        return _response(*self._health.readyz(in_full=_from_inside(request)))

    async def _webhook(self, request: Request) -> JSONResponse:
        entry = self._registry.get(request.path_params["integration_id"])
        if entry is None or "webhooks" not in entry.opened.session.declaration.features:
            return _response(404, {"error": "no such integration"})
        if request.method != "POST":
            return _response(200, {"ok": True})  # providers probe the URL before they register it
        if not entry.enabled:
            return _response(503, {"error": "the integration is not active; nothing was stored, retry later"})
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _read_body(request)
        except TimeoutError:
            return _response(408, {"error": f"the body did not arrive within {_BODY_SECONDS:g} s"})
        if body is None:
            return _response(413, {"error": f"a webhook may have at most {MOST_BYTES} bytes"})
        return await self._received(entry.opened.session, dict(request.headers.items()), body)

    async def _received(self, session: Session, headers: dict[str, str], body: bytes) -> JSONResponse:
        integration = session.integration.id
        try:
            async with asyncio.timeout(_RECEIVE_SECONDS):
                receipt = await asyncio.to_thread(self._receive, session, headers, body)
        except Reject as error:
            status = 401 if error.status == 401 else 400
            return _response(status, {"error": error.detail, "code": error.code})
        except (InteractionsError, Outage, TimeoutError) as error:
            _log.warning("connectors.webhook_put_off", integration=integration, reason=str(error))
            return _response(503, {"error": "the webhook was not acknowledged; send it again"})
        except Exception as error:  # noqa: BLE001 - a webhook that the provider's code cannot handle
            _log.error("connectors.webhook_failed", integration=integration, reason=type(error).__name__)
            return _response(500, {"error": "the webhook could not be read"})
        self._wake()
        return _response(200, {"ok": True, "duplicate": receipt.fresh == 0 and receipt.duplicates > 0})

    def _receive(self, session: Session, headers: dict[str, str], body: bytes) -> Receipt:
        url = callback_url(self._public_url, session.integration.id) or ""
        with connect(self._settings, application_name="interactions-webhooks", autocommit=True) as connection:
            return receive_webhook(session, connection, headers, body, url, self._acknowledge)

    def _acknowledge(self, session: Session, fresh: list[tuple[RemoteChange, str]]) -> None:
        self._events.send(
            [
                self._events.record(
                    "change_received",
                    session.integration,
                    None,
                    {"eventId": change.event_id, "externalId": change.external_id, "outcome": outcome},
                )
                for change, outcome in fresh
            ]
        )


def _response(status: int, content: dict[str, Any]) -> JSONResponse:
    headers = {"cache-control": "no-store", **_HEADERS.get(status, {})}
    return JSONResponse(content, status, headers)


async def _metrics(request: Request) -> Response:
    if not _from_inside(request):
        return _response(404, {"error": "no such integration"})
    return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


async def _not_found(_: Request, __: Exception) -> JSONResponse:
    return _response(404, {"error": "no such integration"})


async def _method_not_allowed(_: Request, __: Exception) -> JSONResponse:
    return _response(405, {"error": "webhooks are sent by POST"})


def _from_inside(request: Request) -> bool:
    """Report whether a request comes from this machine or network, and through no proxy."""
    forwarded = "forwarded" in request.headers or "x-forwarded-for" in request.headers
    return request.client is not None and not forwarded and not is_public(request.client.host)


async def _read_body(request: Request) -> bytes | None:
    """Read the raw body; ``None`` if it is too large, empty if the sender disconnected."""
    parts: list[bytes] = []
    size = 0
    try:
        async for part in request.stream():
            size += len(part)
            if size > MOST_BYTES:
                return None
            parts.append(part)
    except ClientDisconnect:
        return b""
    return b"".join(parts)
