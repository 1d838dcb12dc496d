"""ASGI middleware: the cookie of a session authorizes the pages and their event stream, nothing else."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.authorization import HANDED_OVER
from api.problems import response_of
from api.routes.stream import PATH as STREAM
from schemas.errors import Retry
from web.failure import failure_response
from web.protection import is_page
from web.session import SESSION
from web.sign_in.cookies import SESSION_COOKIE
from web.sign_in.sessions import SessionStore

#: Interval at which an open stream checks that its session was not ended by another process.
_CHECK_SECONDS: Final = 60.0
#: Element that reloads a page at an interval, as htmx names it.
POLL: Final = "div#poll"


class SessionMiddleware:
    """Find the session of a request by its cookie.

    Invariant: a cookie never authorizes a path of the API except reading the event stream. Browsers attach
    cookies to requests that other sites cause, so that a write would need further protection there.
    """

    def __init__(self, app: ASGIApp, store: SessionStore) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        value = _cookie_of(scope)
        if value is None:
            await self._app(scope, receive, send)
            return
        try:
            session = await self._store.find(value, use=not _is_poll(scope))
        except Retry as error:
            request = Request(scope, receive)
            page = is_page(scope["path"])
            response = await failure_response(request, error, 503) if page else response_of(error)
            await response(scope, receive, send)
            return
        if session is None:
            await self._app(scope, receive, send)
            return
        scope = {**scope, HANDED_OVER: session.principal, SESSION: session}
        if is_page(scope["path"]):
            await self._app(scope, receive, send)
        else:
            await self._stream(value, scope, receive, send)

    async def _stream(self, value: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the event stream until it or the session ends."""
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        with self._store.ending(value) as ended:
            serving = asyncio.create_task(self._serve(scope, receive, send_on))
            watching = asyncio.create_task(self._wait_for_end(value, ended))
            try:
                await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                cut = not serving.done()
                for task in (serving, watching):
                    task.cancel()
                await asyncio.wait({serving, watching})
        if not serving.cancelled():
            serving.result()
        elif cut and begun:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    async def _wait_for_end(self, value: str, ended: asyncio.Event) -> None:
        while True:
            try:
                async with asyncio.timeout(_CHECK_SECONDS):
                    await ended.wait()
                return
            except TimeoutError:
                pass
            try:
                if not await self._store.exists(value):
                    return
            except Retry:
                continue


def _is_poll(scope: Scope) -> bool:
    """Report whether the page made a request on its own, at an interval."""
    return Headers(scope=scope).get("hx-source") == POLL


def _cookie_of(scope: Scope) -> str | None:
    """The cookie's value where it may authorize, and no Authorization header is given."""
    if scope["type"] != "http":
        return None
    if not is_page(scope["path"]) and not (scope["path"] == STREAM and scope["method"] in {"GET", "HEAD"}):
        return None
    request = Request(scope)
    if "authorization" in request.headers:
        return None
    return request.cookies.get(SESSION_COOKIE) or None
