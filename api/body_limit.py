"""ASGI middleware: bound the size of a request body and the time it may take to arrive."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import response_of
from schemas.errors import Reject


class BodyLimitMiddleware:
    """Refuses bodies that are too large (413) or too slow (408).

    :param max_bytes: longest body.
    :param timeout: seconds from the start of the request until its body is complete.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, timeout: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._timeout = timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._max_bytes:
            await _too_large(self._max_bytes)(scope, receive, send)
            return
        deadline = asyncio.get_running_loop().time() + self._timeout
        body = _LimitedBody(receive, send, max_bytes=self._max_bytes, deadline=deadline)
        with contextlib.suppress(_Refused):
            await self._app(scope, body.receive, body.send)
        if body.refusal is not None:
            await body.refusal(scope, receive, send)


class _Refused(Exception):
    pass


class _LimitedBody:
    """The body of one request.

    :ivar refusal: the response to a body over a limit. Whatever the app responds to it is discarded.
    """

    def __init__(self, receive: Receive, send: Send, *, max_bytes: int, deadline: float) -> None:
        self._receive = receive
        self._send = send
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._received = 0
        self._complete = False
        self.refusal: Response | None = None

    async def receive(self) -> Message:
        if self._complete:
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            self.refusal = _too_slow()
            raise _Refused from None
        self._received += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._received > self._max_bytes:
            self.refusal = _too_large(self._max_bytes)
            raise _Refused
        return message

    async def send(self, message: Message) -> None:
        if self.refusal is None:
            await self._send(message)


def _too_large(max_bytes: int) -> Response:
    return response_of(
        Reject(
            "body_too_large", f"The body may have at most {max_bytes} bytes; nothing was changed.", status=413
        )
    )


def _too_slow() -> Response:
    response = response_of(
        Reject("body_too_slow", "The body did not arrive in time; nothing was changed.", status=408)
    )
    # Hazard: the rest of the body may still arrive. On a kept connection it would be read as a request.
    response.headers["Connection"] = "close"
    return response
