"""ASGI middleware around every request: request id, trace context, log line, metrics, response headers."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.metrics import Metrics
from api.read_pool import statements

_log = structlog.get_logger("gateway")
#: W3C Trace Context, section 3.2.
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
#: Set in the scope of a HEAD request, which is routed as GET.
HEAD: Final = "interactions.head"
_NOT_LOGGED: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class RequestMiddleware:
    """Observes requests; it must be the outermost middleware.

    :param headers: path prefix → headers of every response under it, errors included.
    :param show_statements: send the number of database statements in ``x-statements``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        headers: Mapping[str, Mapping[str, str]],
        show_statements: bool = False,
    ) -> None:
        self._app = app
        self._metrics = metrics
        self._headers = {
            prefix: [(name.lower().encode(), value.encode()) for name, value in own.items()]
            for prefix, own in headers.items()
        }
        self._show_statements = show_statements

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            # RFC 9110, section 9.3.2: the headers of a GET. The server sends no body in response to HEAD.
            scope = {**scope, "method": "GET", HEAD: True}
        sent: list[str] | None = [] if self._show_statements else None
        statements.set(sent)
        request = _Request(scope, send, self._headers_for(scope["path"]), sent)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.id)
        if request.traceparent is not None:
            structlog.contextvars.bind_contextvars(
                traceparent=request.traceparent, trace_id=request.traceparent.split("-")[1]
            )
        try:
            await self._app(scope, receive, request.send)
        finally:
            self._record(scope, request)
            structlog.contextvars.clear_contextvars()

    def _headers_for(self, path: str) -> list[tuple[bytes, bytes]]:
        return [
            pair
            for prefix, own in self._headers.items()
            if path == prefix or path.startswith(prefix + "/")
            for pair in own
        ]

    def _record(self, scope: Scope, request: _Request) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        self._metrics.requests.labels(scope["method"], route, request.status).inc()
        self._metrics.seconds.labels(scope["method"], route).observe(request.seconds)
        if route in _NOT_LOGGED:
            return
        principal: Any = scope.get("state", {}).get("principal")
        caller = (
            {"tenant_id": principal.tenant_id, "organization_id": principal.organization_id}
            if principal is not None
            else {}
        )
        # Hazard: path and query may contain customer text. Log the route only.
        _log.info(
            "gateway.answered",
            method=scope["method"],
            route=route,
            status=request.status,
            ms=round(request.seconds * 1000, 1),
            **caller,
        )


class _Request:
    """One request: its id, its trace context, and the start of its response."""

    def __init__(
        self, scope: Scope, send: Send, headers: list[tuple[bytes, bytes]], sent: list[str] | None
    ) -> None:
        self.id = str(uuid4())
        given = dict(scope["headers"]).get(b"traceparent", b"").decode("latin-1")
        self.traceparent = given if _TRACEPARENT.fullmatch(given) else None
        self._send = send
        self._headers = headers
        self._statements = sent
        self._started = time.perf_counter()
        self.status = 500
        self.seconds = 0.0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start_response(message)
        await self._send(message)

    def _start_response(self, message: Message) -> None:
        self.status = message["status"]
        self.seconds = time.perf_counter() - self._started
        own = [(b"x-request-id", self.id.encode()), (b"x-content-type-options", b"nosniff")]
        if self._statements is not None:
            own.append((b"x-statements", str(len(self._statements)).encode()))
        message["headers"] = [*message.get("headers", []), *own, *self._headers]
