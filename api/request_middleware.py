"""Around every request: its id, a limit on its body, one log line, its figures, and headers by path."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping
from typing import Any, Final
from uuid import uuid4

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import response_of
from api.read_pool import statements
from schemas.errors import Reject

_log = structlog.get_logger("gateway")
#: W3C Trace Context, section 3.2.
_TRACEPARENT: Final = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
#: In the scope of a request that wants the headers alone.
HEAD: Final = "interactions.head"
_QUIET: Final = frozenset({"/healthz", "/readyz", "/metrics"})


class Metrics:
    """The metrics of one process (names as Prometheus has them)."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "interactions_http_requests_total",
            "Answered requests.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "interactions_http_request_seconds",
            "Time until the answer begins.",
            ["method", "route"],
            registry=self.registry,
        )
        self.streams = Gauge("interactions_http_streams", "Open event streams.", registry=self.registry)


class _Refused(Exception):
    pass


def _too_slow() -> Response:
    answer = response_of(
        Reject("body_too_slow", "the body did not arrive in time; nothing was changed", status=408)
    )
    # The rest of the body may still come; it must not be read as the next request.
    answer.headers["Connection"] = "close"
    return answer


class RequestMiddleware:
    """ASGI middleware.

    :param headers: path prefix → headers that every answer under it carries, errors included.
    :param max_body_bytes: a longer body is refused with 413.
    :param body_seconds: a body that takes longer to arrive is refused with 408.
    :param show_statements: answer how many statements the database was sent, in ``x-statements``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        figures: Metrics,
        headers: Mapping[str, Mapping[str, str]],
        max_body_bytes: int,
        body_seconds: float,
        show_statements: bool = False,
    ) -> None:
        self._app = app
        self._figures = figures
        self._headers = {
            prefix: [(name.lower().encode(), value.encode()) for name, value in own.items()]
            for prefix, own in headers.items()
        }
        self._limit = max_body_bytes
        self._body_seconds = body_seconds
        self._show_statements = show_statements

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":
            # RFC 9110, section 9.3.2: the headers of a GET. The server sends no body to a HEAD.
            scope = {**scope, "method": "GET", HEAD: True}
        sent: list[str] | None = [] if self._show_statements else None
        statements.set(sent)
        request = _Request(scope, self._extra(scope["path"]), sent)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.id)
        if request.traceparent is not None:
            structlog.contextvars.bind_contextvars(
                traceparent=request.traceparent, trace_id=request.traceparent.split("-")[1]
            )

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                request.begun(message)
            await send(message)

        try:
            await self._limited(scope, receive, sending)
        finally:
            self._note(scope, request)
            structlog.contextvars.clear_contextvars()

    async def _limited(self, scope: Scope, receive: Receive, send: Send) -> None:
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._limit:
            await self._too_large()(scope, receive, send)
            return
        deadline = asyncio.get_running_loop().time() + self._body_seconds
        taken = 0
        complete = False
        refusal: Response | None = None

        async def counting() -> Message:
            nonlocal taken, complete, refusal
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                refusal = _too_slow()
                raise _Refused from None
            taken += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if taken > self._limit:
                refusal = self._too_large()
                raise _Refused
            return message

        async def watching(message: Message) -> None:
            # What the app makes of a refused body is not sent.
            if refusal is None:
                await send(message)

        with contextlib.suppress(_Refused):
            await self._app(scope, counting, watching)
        if refusal is not None:
            await refusal(scope, receive, send)

    def _too_large(self) -> Response:
        return response_of(
            Reject("body_too_large", f"the body may have at most {self._limit} bytes", status=413)
        )

    def _extra(self, path: str) -> list[tuple[bytes, bytes]]:
        return [
            pair
            for prefix, own in self._headers.items()
            if path == prefix or path.startswith(prefix + "/")
            for pair in own
        ]

    def _note(self, scope: Scope, request: _Request) -> None:
        route = getattr(scope.get("route"), "path", "unknown")
        self._figures.requests.labels(scope["method"], route, request.status).inc()
        self._figures.seconds.labels(scope["method"], route).observe(request.seconds)
        if route in _QUIET:
            return
        state = scope.get("state", {})
        principal: Any = state.get("principal")
        who = (
            {"tenant_id": principal.tenant_id, "organization_id": principal.organization_id}
            if principal is not None
            else {}
        )
        # The route, never the path or the query: both may hold what a person typed.
        _log.info(
            "gateway.answered",
            method=scope["method"],
            route=route,
            status=request.status,
            ms=round(request.seconds * 1000, 1),
            **who,
        )


class _Request:
    """One request on its way: its id, and how its answer began."""

    def __init__(self, scope: Scope, extra: list[tuple[bytes, bytes]], sent: list[str] | None) -> None:
        headers = dict(scope["headers"])
        self.id = str(uuid4())
        given = headers.get(b"traceparent", b"").decode("latin-1")
        self.traceparent = given if _TRACEPARENT.fullmatch(given) else None
        self._extra = extra
        self._sent = sent
        self._started = time.perf_counter()
        self.status = 500
        self.seconds = 0.0

    def begun(self, message: Message) -> None:
        self.status = message["status"]
        self.seconds = time.perf_counter() - self._started
        own = [(b"x-request-id", self.id.encode()), (b"x-content-type-options", b"nosniff")]
        if self._sent is not None:
            own.append((b"x-statements", str(len(self._sent)).encode()))
        message["headers"] = [*message.get("headers", []), *own, *self._extra]
