"""A pool of read-only Postgres connections for asyncio that can count its statements."""

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

#: Longest wait of a request for a free connection.
_CHECKOUT_SECONDS: Final = 3.0
#: The pool reconnects with backoff for this time. Afterwards each request tries at once.
_RECONNECT_SECONDS: Final = 5.0

#: Statements sent by the current task, such as a request; a list, so that tasks can share it.
statements: Final[ContextVar[list[str] | None]] = ContextVar("statements", default=None)


class _CountingCursor(psycopg.AsyncCursor[Any]):
    async def execute(self, query: Any, *args: Any, **options: Any) -> Any:
        sent = statements.get()
        if sent is not None:
            sent.append(query.decode() if isinstance(query, bytes) else str(query))
        return await super().execute(query, *args, **options)


class ReadPool:
    """Read-only connections: Postgres refuses writes on them (single-writer invariant).

    :param seconds: longest use of a connection. The server's ``statement_timeout`` fires a little earlier;
        if the server does not respond at all, the connection is dropped at this deadline.
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
        """Start the pool without waiting for the database."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self, seconds: float | None = None) -> AsyncIterator[AsyncConnection]:
        """Check out an autocommit connection for the length of a block.

        :param seconds: longest wait for the connection and use of it; by default the pool's.
        :raises Retry: the database is unreachable or unresponsive, or a statement timed out.
        """
        seconds = self._seconds if seconds is None else seconds
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        try:
            async with self._pool.connection(min(_CHECKOUT_SECONDS, seconds)) as connection:
                timer = loop.call_at(deadline, hang_up, connection)
                try:
                    yield connection
                finally:
                    timer.cancel()
        except PoolTimeout:
            raise Retry("The database is unreachable; retry.", after=2) from None
        except psycopg.errors.QueryCanceled:
            raise Retry("The query timed out. Narrow it with filters, or retry.", after=5) from None
        except psycopg.OperationalError:
            raise Retry("The database does not respond; retry.", after=2) from None


def hang_up(connection: AsyncConnection) -> None:
    """Unblock a read from an unresponsive server by closing its socket; the pool drops the connection.

    Hazard: cancelling the task instead sends a cancel request to the server and waits for its response.
    """
    with (
        contextlib.suppress(OSError, psycopg.OperationalError),
        socket.socket(fileno=os.dup(connection.pgconn.socket)) as peer,
    ):
        peer.shutdown(socket.SHUT_RDWR)
