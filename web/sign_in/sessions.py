"""Server-side sessions: random cookie values, looked up by their hash and cached for seconds."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from api.principal import Principal
from api.read_pool import hang_up
from runtime.gateway_settings import GatewaySettings
from runtime.postgres import AsyncConnection, Outage, make_async_pool
from runtime.settings import Settings
from schemas.errors import Retry
from sinks.web_sessions import SessionRow, create_session, delete_session, find_session
from web.session import Session

#: Sign-out in another process of the gateway takes effect here after this time.
_CACHE_SECONDS: Final = 3.0
_MAX_CACHED: Final = 10_000
_CONNECTIONS: Final = 4
_CHECKOUT_SECONDS: Final = 3.0
_USE_SECONDS: Final = 5.0
#: Bytes of randomness in a cookie's value and in a form token.
_RANDOM_BYTES: Final = 32


class SessionStore:
    """The sessions of all gateway processes.

    :param clock: seconds, monotonic.
    """

    def __init__(
        self, settings: Settings, gateway: GatewaySettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._idle = gateway.session_idle_seconds
        self._absolute = gateway.session_absolute_seconds
        self._clock = clock
        self._cache: dict[bytes, tuple[float, Session]] = {}
        #: Incremented by each sign-out, so that a lookup begun before it is not cached.
        self._generation = 0
        self._waiting: dict[bytes, set[asyncio.Event]] = {}
        self._settings = settings

    async def open(self) -> None:
        """Start the pool without waiting for the database."""
        self._pool = make_async_pool(
            self._settings,
            application_name="interactions-sessions",
            server_options=f"-c statement_timeout={int(_USE_SECONDS * 900)}",
            min_size=1,
            max_size=_CONNECTIONS,
            timeout=_CHECKOUT_SECONDS,
            reconnect_timeout=5.0,
            name="sessions",
        )
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    async def create(
        self,
        principal: Principal,
        *,
        display_name: str | None,
        ends_at: float,
        ticket: str | None = None,
    ) -> str | None:
        """Begin a session; return the value of its cookie.

        :param ends_at: end of the identity itself, in seconds since the epoch; infinite if it has none.
        :param ticket: id of a single-use link.
        :return: ``None`` if the link was used before.
        :raises Retry: the database is unavailable. The person is not signed in.
        """
        value = secrets.token_urlsafe(_RANDOM_BYTES)
        row = SessionRow(
            tenant_id=principal.tenant_id,
            organization_id=principal.organization_id,
            subject=principal.subject,
            features=sorted(principal.features),
            display_name=display_name,
            csrf=secrets.token_urlsafe(_RANDOM_BYTES),
            ends_at=ends_at,
        )
        async with self._connection() as connection:
            made = await create_session(
                connection, _key(value), row, absolute_seconds=self._absolute, ticket=ticket
            )
        return value if made else None

    async def find(self, value: str, *, use: bool = True) -> Session | None:
        """Return the session of a cookie, and record that it was used.

        :param use: false for a request that a page makes on its own: it does not delay the idle limit.
        :raises Retry: the database is unavailable.
        """
        key = _key(value)
        until, known = self._cache.get(key, (0.0, None))
        if known is not None and self._clock() < until and time.time() < known.expires_at:
            return known
        generation = self._generation
        async with self._connection() as connection:
            row = await find_session(connection, key, idle_seconds=self._idle, use=use)
        if row is None:
            self._cache.pop(key, None)
            return None
        session = _session(row)
        # A cached session was just used, so the next request need not record a use.
        if use and generation == self._generation:
            if len(self._cache) >= _MAX_CACHED:
                self._cache.clear()
            self._cache[key] = self._clock() + _CACHE_SECONDS, session
        return session

    async def exists(self, value: str) -> bool:
        """Report whether a session has not ended, without using it.

        :raises Retry: the database is unavailable.
        """
        async with self._connection() as connection:
            found = await find_session(connection, _key(value), idle_seconds=self._idle, use=False)
        return found is not None

    async def end(self, value: str) -> None:
        """End a session: at once in this process, within seconds in others.

        :raises Retry: the database is unavailable. The session continues.
        """
        key = _key(value)
        async with self._connection() as connection:
            await delete_session(connection, key)
        self._generation += 1
        self._cache.pop(key, None)
        for event in self._waiting.get(key, ()):
            event.set()

    @contextmanager
    def ending(self, value: str) -> Iterator[asyncio.Event]:
        """An event that is set when this process ends the session."""
        key, event = _key(value), asyncio.Event()
        self._waiting.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._waiting[key]
            waiting.discard(event)
            if not waiting:
                del self._waiting[key]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """Check out a connection for the length of a block.

        :raises Retry: the database is unreachable or unresponsive.
        """
        loop = asyncio.get_running_loop()
        try:
            async with self._pool.connection() as connection:
                timer = loop.call_later(_USE_SECONDS, hang_up, connection)
                try:
                    yield connection
                finally:
                    timer.cancel()
        except Outage:
            raise Retry("The database that holds the sessions does not respond; retry.", after=2) from None


def _key(value: str) -> bytes:
    """Primary key of a session. The value itself is random, so that a plain hash suffices."""
    return hashlib.sha256(value.encode(errors="replace")).digest()


def _session(row: SessionRow) -> Session:
    return Session(
        principal=Principal(
            tenant_id=row.tenant_id,
            organization_id=row.organization_id,
            subject=row.subject,
            features=frozenset(row.features),
            expires_at=row.ends_at,
        ),
        display_name=row.display_name,
        csrf=row.csrf,
        expires_at=row.ends_at,
    )
