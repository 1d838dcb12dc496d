"""A pool of read-only Postgres connections for asyncio, with its statements counted."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final

import psycopg
from psycopg_pool import PoolTimeout

from runtime.postgres import AsyncConnection, make_async_pool
from runtime.settings import Settings
from schemas.errors import Retry

#: How long a request waits for a free connection.
_CHECKOUT_SECONDS: Final = 3.0
#: How long the pool itself tries to connect again, with growing pauses; then each request tries at once.
_RECONNECT_SECONDS: Final = 5.0

#: How many statements the current task (a request, say) has sent; a list, so that tasks may share it.
statements: Final[ContextVar[list[str] | None]] = ContextVar("statements", default=None)


class _CountingCursor(psycopg.AsyncCursor[Any]):
    async def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        sent = statements.get()
        if sent is not None:
            sent.append(query.decode() if isinstance(query, bytes) else str(query))
        return await super().execute(query, *args, **options)


class ReadPool:
    """Connections that can only read: the database refuses a write on them (law 2).

    :param seconds: longest use of a connection. The server ends a statement a little earlier; a server
        that does not even do that is given up then.
    """

    def __init__(self, settings: Settings, *, size: int, seconds: float) -> None:
        self._seconds = seconds
        statement_ms = int((seconds - min(1.0, seconds / 10)) * 1000)
        limits = f"-c default_transaction_read_only=on -c statement_timeout={statement_ms}"
        self._pool = make_async_pool(
            settings,
            application_name="interactions-gateway",
            server_options=limits,
            kwargs={"cursor_factory": _CountingCursor},
            min_size=min(2, size),
            max_size=size,
            timeout=_CHECKOUT_SECONDS,
            reconnect_timeout=_RECONNECT_SECONDS,
            name="gateway",
        )

    async def open(self) -> None:
        """Start the pool; it does not wait for the database."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self, seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
        """A connection for the length of a block, each statement in a transaction of its own.

        :param seconds: longest wait for the connection and use of it; the pool's unless given.
        :raises Retry: the database cannot be reached, does not answer, or a statement took too long.
        """
        seconds = self._seconds if seconds is None else seconds
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            async with self._pool.connection(min(_CHECKOUT_SECONDS, seconds)) as connection:
                timer = loop.call_at(deadline, _hang_up, connection)
                try:
                    yield connection
                finally:
                    timer.cancel()
        except PoolTimeout:
            raise Retry("the database cannot be reached now", after=2) from None
        except psycopg.errors.QueryCanceled:
            raise Retry("the read took too long; narrow it with filters", after=5) from None
        except psycopg.OperationalError:
            raise Retry("the database does not answer now; retry shortly", after=2) from None


def _hang_up(connection: AsyncConnection) -> None:
    """End the wait for a server that is silent, such as a frozen one; the pool drops the connection.

    Hazard: cancelling the task instead asks the server to cancel the statement, and waits for its answer.
    """
    with (
        contextlib.suppress(OSError, psycopg.OperationalError),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as peer,
    ):
        peer.shutdown(socket.SHUT_RDWR)
