"""The address where providers' webhooks arrive: ``/webhooks/{integrationId}`` (ASGI).

It lives here and not in the gateway: the signature's check needs the provider's code and secrets, which
the gateway may not have. A deployment that wants one public address routes this path here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import orjson
import structlog

from connectors.sdk.addresses import is_public
from connectors.sdk.remote import RemoteChange
from connectors.service.health import RoleHealth
from connectors.service.integration_events import event_record
from connectors.service.open_session import callback_url
from connectors.service.registry import IntegrationRegistry
from connectors.service.webhook_receiver import Receipt, receive_webhook
from connectors.sync.session import Session
from runtime.postgres import Outage, connect
from runtime.settings import Settings
from schemas.errors import InteractionsError, Reject

_log = structlog.get_logger("connectors")
MOST_BYTES: Final = 1024 * 1024
#: A sender that stops halfway must not keep its connection, nor its body in memory.
_BODY_SECONDS: Final = 20.0
#: After that the sender is asked to come again, whatever the database or Kafka do.
_TAKE_SECONDS: Final = 10.0
_PREFIX: Final = "/webhooks/"
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class WebhookApp:
    """Takes deliveries in for every link of the book.

    :param wake: called when there is something to do.
    """

    def __init__(
        self,
        settings: Settings,
        registry: IntegrationRegistry,
        public_url: str | None,
        wake: Callable[[], None],
        health: RoleHealth,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._public_url = public_url
        self._wake = wake
        self._health = health

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        status, answer = await self._answer(scope, receive)
        body = b"" if scope["method"] == "HEAD" else orjson.dumps(answer)
        headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
        if status == 408:
            headers.append((b"connection", b"close"))
        if status == 503:
            headers.append((b"retry-after", b"30"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, scope: MutableMapping[str, Any], receive: Receive
    ) -> tuple[int, dict[str, object]]:
        path = str(scope["path"])
        if path == "/healthz":
            return self._health.healthz()
        if path == "/readyz":
            return self._health.readyz(in_full=_from_inside(scope))
        entry = self._registry.get(path.removeprefix(_PREFIX)) if path.startswith(_PREFIX) else None
        if entry is None or "webhooks" not in entry.opened.session.declaration.features:
            return 404, {"error": "no such integration"}
        if scope["method"] in ("HEAD", "GET"):
            return 200, {"ok": True}  # a provider makes sure that somebody is here
        if scope["method"] != "POST":
            return 405, {"error": "webhooks are sent by POST"}
        if not entry.enabled:
            return 503, {"error": "the integration takes nothing in now"}
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await _read(receive)
        except TimeoutError:
            return 408, {"error": f"the body did not arrive within {_BODY_SECONDS:g} s"}
        if body is None:
            return 413, {"error": f"a delivery may have at most {MOST_BYTES} bytes"}
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        session = entry.opened.session
        try:
            async with asyncio.timeout(_TAKE_SECONDS):
                taken = await asyncio.to_thread(self._take, session, headers, body)
        except Reject as error:
            return (401 if error.status == 401 else 400), {"error": error.detail, "code": error.code}
        except (InteractionsError, Outage, TimeoutError) as error:
            _log.warning("connectors.webhook_put_off", integration=session.integration.id, reason=str(error))
            return 503, {"error": "nothing can be taken in now; try again"}
        except Exception as error:  # noqa: BLE001 - a delivery that a provider's code cannot bear
            _log.error(
                "connectors.webhook_failed", integration=session.integration.id, reason=type(error).__name__
            )
            return 500, {"error": "the delivery could not be read"}
        self._wake()
        return 200, {"ok": True, "duplicate": taken.fresh == 0 and taken.duplicates > 0}

    def _take(self, session: Session, headers: dict[str, str], body: bytes) -> Receipt:
        url = callback_url(self._public_url, session.integration.id) or ""
        with connect(self._settings, application_name="interactions-webhooks", autocommit=True) as connection:
            return receive_webhook(session, connection, headers, body, url, self._acknowledge)

    def _acknowledge(self, _session: Session, fresh: list[tuple[RemoteChange, str]]) -> None:
        self._registry.sender.send(
            [
                event_record(
                    "change_received",
                    _session.integration,
                    None,
                    {"eventId": change.event_id, "externalId": change.external_id, "outcome": outcome},
                )
                for change, outcome in fresh
            ]
        )


def _from_inside(scope: MutableMapping[str, Any]) -> bool:
    """Return whether a request comes from this machine or network and through no proxy."""
    forwarded = {b"forwarded", b"x-forwarded-for"} & {name.lower() for name, _ in scope["headers"]}
    client = scope.get("client")
    return client is not None and not forwarded and not is_public(str(client[0]))


async def _read(receive: Receive) -> bytes | None:
    """The raw body; ``None`` when it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b""
        size += len(message.get("body", b""))
        if size > MOST_BYTES:
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)
