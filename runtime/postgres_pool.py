"""A pool of read-only Postgres connections for asyncio, with its statements counted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, Final

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from runtime.postgres import connection_parameters
from runtime.settings import Settings
from schemas.errors import Retry

ReadConnection = psycopg.AsyncConnection[Any]

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

    :param statement_seconds: longest statement; the server ends it then.
    """

    def __init__(self, settings: Settings, *, size: int, statement_seconds: float) -> None:
        parameters = connection_parameters(settings)
        limits = f" -c default_transaction_read_only=on -c statement_timeout={int(statement_seconds * 1000)}"
        self._pool = AsyncConnectionPool(
            connection_class=psycopg.AsyncConnection,
            kwargs={
                **parameters,
                "options": parameters["options"] + limits,
                "application_name": "interactions-gateway",
                "autocommit": True,
                "cursor_factory": _CountingCursor,
            },
            min_size=min(2, size),
            max_size=size,
            timeout=3.0,
            open=False,
            name="gateway",
        )

    async def open(self) -> None:
        """Start the pool; it does not wait for the database."""
        await self._pool.open(wait=False)

    async def close(self) -> None:
        """Close every connection."""
        await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[ReadConnection]:
        """A connection for the length of a block, each statement in a transaction of its own.

        :raises Retry: the database cannot be reached, or a statement took too long.
        """
        try:
            async with self._pool.connection() as connection:
                yield connection
        except PoolTimeout:
            raise Retry("the database cannot be reached now", after=2) from None
        except psycopg.errors.QueryCanceled:
            raise Retry("the read took too long; narrow it with filters", after=5) from None
        except psycopg.OperationalError:
            raise Retry("the database broke off the read", after=2) from None
