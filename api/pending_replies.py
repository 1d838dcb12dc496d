"""Request–reply over Kafka: futures by correlation id, resolved by the consumers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar
from uuid import uuid4

from api.command_producer import DeliveryCallback
from schemas.errors import Retry
from schemas.outgoing_record import OutgoingRecord

Reply = TypeVar("Reply")


class Sender(Protocol):
    """Queues records for the broker (``api.command_producer``)."""

    def send(self, record: OutgoingRecord, on_delivery: DeliveryCallback) -> None:
        """Queue one record."""
        ...


class PendingReplies(Generic[Reply]):
    """Requests in flight. Each has its own correlation id, so it never receives another request's reply.

    :param connected: returns whether replies are being consumed. Nothing is sent before.
    :param timeout: seconds to wait for a reply.
    """

    def __init__(self, *, connected: Callable[[], bool], timeout: float) -> None:
        self._connected = connected
        self._timeout = timeout
        self._pending: dict[str, asyncio.Future[Reply]] = {}

    def require_connected(self) -> None:
        """:raises Retry: replies are not being consumed, so nothing may be sent (503)."""
        if not self._connected():
            raise Retry(
                "The gateway is not connected to the results topic; the command was not sent."
                " Retry after it reconnects.",
                after=2,
            )

    async def request(self, send: Callable[[str, DeliveryCallback], None]) -> Reply:
        """Send a request and wait for its reply.

        :param send: publishes the request, given its correlation id and a delivery callback.
        :raises Retry: the broker did not accept the record (503).
        :raises TimeoutError: the record was sent, and no reply came in time.
        """
        correlation_id = str(uuid4())
        with self.expected(correlation_id) as future:
            loop = future.get_loop()

            def on_delivery(failure: Exception | None) -> None:
                if failure is not None:
                    loop.call_soon_threadsafe(_fail, future, failure)

            send(correlation_id, on_delivery)
            async with asyncio.timeout(self._timeout):
                return await future

    @contextmanager
    def expected(self, correlation_id: str) -> Iterator[asyncio.Future[Reply]]:
        """Receive the reply with a correlation id, for the length of a block.

        :param correlation_id: of one block at a time.
        """
        future: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._pending[correlation_id] = future
        try:
            yield future
        finally:
            del self._pending[correlation_id]

    def is_pending(self, correlation_id: str | None) -> bool:
        """Report whether a request with this correlation id is waiting for its reply."""
        return (correlation_id or "") in self._pending

    def resolve(self, correlation_id: str | None, reply: Reply) -> None:
        """Complete the request with this correlation id. Callable from any thread; the first reply counts."""
        future = self._pending.get(correlation_id or "")
        if future is not None:
            future.get_loop().call_soon_threadsafe(_complete, future, reply)


def _complete(future: asyncio.Future[Reply], reply: Reply) -> None:
    if not future.done():
        future.set_result(reply)


def _fail(future: asyncio.Future[Reply], failure: Exception) -> None:
    if not future.done():
        future.set_exception(failure)
