"""The cache of sessions: a sign-out takes effect at once, even during a lookup."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from runtime.gateway_settings import GatewaySettings
from runtime.settings import Settings
from sinks.web_sessions import SessionRow
from web.sign_in import sessions
from web.sign_in.sessions import SessionStore


class Table:
    """Rows by key; counts lookups, and can hold one up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: dict[bytes, SessionRow] = {}
        self.lookups = 0
        self.uses = 0
        self.found = asyncio.Event()
        self.hold: asyncio.Event | None = None
        monkeypatch.setattr(sessions, "create_session", self._create)
        monkeypatch.setattr(sessions, "find_session", self._find)
        monkeypatch.setattr(sessions, "delete_session", self._delete)

    async def _create(self, _connection: Any, key: bytes, row: SessionRow, **_limits: Any) -> bool:
        self.rows[key] = row
        return True

    async def _find(
        self, _connection: Any, key: bytes, *, use: bool = True, **_limits: Any
    ) -> SessionRow | None:
        self.lookups += 1
        self.uses += use
        row = self.rows.get(key)
        self.found.set()
        if self.hold is not None:
            await self.hold.wait()
        return row

    async def _delete(self, _connection: Any, key: bytes) -> None:
        self.rows.pop(key, None)


class Store(SessionStore):
    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(Settings(), GatewaySettings(), clock=lambda: self.now)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        yield None


async def begin(store: Store, ends_at: float = 1e12) -> str:
    from api.principal import Principal

    who = Principal(tenant_id="t", organization_id="o", subject="s", features=frozenset({"b", "a"}))
    value = await store.create(who, display_name="Erika", ends_at=ends_at)
    assert value is not None
    return value


def test_a_session_is_cached_for_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        table, store = Table(monkeypatch), Store()
        value = await begin(store)
        assert value.encode() not in b"".join(table.rows)
        first = await store.find(value)
        assert first is not None
        assert first.principal.features == {"a", "b"}
        assert await store.find(value) is first
        assert table.lookups == 1
        table.rows.clear()
        store.now = 3.1
        assert await store.find(value) is None
        assert await store.find("x" * 43) is None

    asyncio.run(run())


def test_a_cached_session_ends_on_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        table, store = Table(monkeypatch), Store()
        value = await begin(store, ends_at=1000.0)
        monkeypatch.setattr(time, "time", lambda: 999.0)
        assert await store.find(value) is not None
        table.rows.clear()
        monkeypatch.setattr(time, "time", lambda: 1000.0)
        assert await store.find(value) is None

    asyncio.run(run())


def test_sign_out_takes_effect_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        Table(monkeypatch)
        store = Store()
        value = await begin(store)
        assert await store.find(value) is not None
        with store.ending(value) as ended:
            await store.end(value)
            assert ended.is_set()
        assert await store.find(value) is None

    asyncio.run(run())


def test_a_lookup_begun_before_a_sign_out_is_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        table, store = Table(monkeypatch), Store()
        value = await begin(store)
        table.hold = asyncio.Event()
        lookup = asyncio.create_task(store.find(value))
        await table.found.wait()
        await store.end(value)
        table.hold.set()
        await lookup
        assert await store.find(value) is None

    asyncio.run(run())


def test_a_use_is_recorded_although_the_page_polled_just_before(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        table, store = Table(monkeypatch), Store()
        value = await begin(store)
        assert await store.find(value, use=False) is not None
        assert table.uses == 0
        assert await store.find(value) is not None
        assert table.uses == 1

    asyncio.run(run())
