"""Paths on which a session's cookie authorizes, and the end of a stream with its session."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.authorization import HANDED_OVER
from api.principal import Principal
from schemas.errors import Retry
from web.session import SESSION, Session
from web.sign_in import session_middleware
from web.sign_in.session_middleware import SessionMiddleware
from web.sign_in.sessions import SessionStore

FOUND = Session(
    principal=Principal(tenant_id="t", organization_id="o", subject="s", features=frozenset({"*"})),
    display_name="Erika",
    csrf="token",
    expires_at=math.inf,
)


class Store(SessionStore):
    """One session; its cookie has the value ``good``."""

    def __init__(self, failure: Retry | None = None) -> None:
        self._failure = failure
        self._waiting = {}
        self.looked_up = 0
        self.used = 0
        self.left = True

    async def find(self, value: str, *, use: bool = True) -> Session | None:
        self.looked_up += 1
        self.used += use
        if self._failure is not None:
            raise self._failure
        return FOUND if value == "good" else None

    async def exists(self, value: str) -> bool:
        return self.left


class App:
    """Records the scope, and streams until it is cancelled if asked to."""

    def __init__(self, *, endless: bool = False) -> None:
        self.scope: Scope = {}
        self.begun = asyncio.Event()
        self._endless = endless

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        await send({"type": "http.response.start", "status": 200, "headers": []})
        self.begun.set()
        if self._endless:
            await asyncio.Event().wait()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def serve(
    path: str,
    *,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    store: Store | None = None,
    app: App | None = None,
    during: Callable[[Store], None] = lambda _store: None,
) -> tuple[App, list[Message]]:
    sent: list[Message] = []
    store, app = store or Store(), app or App()

    async def keep(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    given = {"cookie": "__Host-interactions=good"} if headers is None else headers
    scope: Scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    serving = asyncio.ensure_future(SessionMiddleware(app, store)(scope, receive, keep))
    if app._endless:
        await app.begun.wait()
        during(store)
    await asyncio.wait_for(serving, 10)
    return app, sent


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/backend/customers/people"),
        ("POST", "/backend/interactions"),
        ("GET", "/signin"),
        ("POST", "/signout"),
        ("GET", "/docs/api"),
        ("GET", "/api/customers/stream"),
        ("HEAD", "/api/customers/stream"),
    ],
)
def test_a_cookie_authorizes_pages_and_the_stream(method: str, path: str) -> None:
    app, _ = asyncio.run(serve(path, method=method))
    assert app.scope[HANDED_OVER] is FOUND.principal
    assert app.scope[SESSION] is FOUND


@pytest.mark.parametrize(("source", "used"), [("div#poll", 0), ("form#poll", 1), ("body", 1), (None, 1)])
def test_a_page_that_reloads_at_an_interval_does_not_use_the_session(source: str | None, used: int) -> None:
    headers = {"cookie": "__Host-interactions=good"}
    if source is not None:
        headers["hx-source"] = source
    store = Store()
    app, _ = asyncio.run(serve("/backend/operations", headers=headers, store=store))
    assert app.scope[SESSION] is FOUND
    assert (store.looked_up, store.used) == (1, used)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/customers/interactions"),
        ("POST", "/api/customers/interactions"),
        ("POST", "/api/customers/stream"),
        ("POST", "/api/customers/stream/cookie"),
        ("DELETE", "/api/customers/stream/cookie"),
        ("GET", "/api/customers/stream/"),
        ("GET", "/api/backend"),
        ("POST", "/mcp"),
        ("GET", "/docs/migration"),
    ],
)
def test_a_cookie_authorizes_nothing_else(method: str, path: str) -> None:
    store = Store()
    app, _ = asyncio.run(serve(path, method=method, store=store))
    assert HANDED_OVER not in app.scope
    assert SESSION not in app.scope
    assert store.looked_up == 0


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"cookie": "__Host-interactions=bad"},
        {"cookie": "__Host-interactions="},
        {"cookie": "interactions=good"},
        {"cookie": "__Host-interactions=good", "authorization": "Bearer x"},
    ],
)
def test_without_a_session_nothing_is_set(headers: dict[str, str]) -> None:
    app, _ = asyncio.run(serve("/backend/x", headers=headers))
    assert HANDED_OVER not in app.scope


@pytest.mark.parametrize("path", ["/backend/x", "/api/customers/stream"])
def test_sessions_that_cannot_be_looked_up(path: str) -> None:
    store = Store(Retry("The database does not respond; retry.", after=2))
    app, sent = asyncio.run(serve(path, store=store))
    assert app.scope == {}
    assert sent[0]["status"] == 503
    assert b"does not respond" in sent[1]["body"]


def end_here(store: Store) -> None:
    for event in next(iter(store._waiting.values())):
        event.set()


def end_elsewhere(store: Store) -> None:
    store.left = False


@pytest.mark.parametrize("end", [end_here, end_elsewhere])
def test_a_stream_ends_with_its_session(monkeypatch: pytest.MonkeyPatch, end: Any) -> None:
    monkeypatch.setattr(session_middleware, "_CHECK_SECONDS", 0.01 if end is end_elsewhere else 60)

    async def run() -> list[Message]:
        return (await serve("/api/customers/stream", app=App(endless=True), during=end))[1]

    assert asyncio.run(run())[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
