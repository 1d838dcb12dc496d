"""Questions that are published, and answered by a record or a notice that somebody else hears."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar
from uuid import uuid4

from api.command_producer import Settled
from schemas.errors import Retry
from schemas.topics import COMMANDS

Answer = TypeVar("Answer")


class Sender(Protocol):
    """What queues a record (``api.command_producer``)."""

    def send(
        self,
        key: str,
        value: bytes,
        headers: list[tuple[str, str | bytes]],
        settled: Settled,
        topic: str = COMMANDS,
    ) -> None:
        """Queue one record for a topic."""
        ...


class PendingReplies(Generic[Answer]):
    """The questions under way. Each has a correlation id of its own, so an answer can only be its own.

    :param listening: whether answers are heard; before, nothing is sent.
    :param timeout: seconds until an answer counts as unknown.
    """

    def __init__(self, *, listening: Callable[[], bool], timeout: float) -> None:
        self._listening = listening
        self._timeout = timeout
        self._waiting: dict[str, asyncio.Future[Answer]] = {}

    def require_listening(self) -> None:
        """:raises Retry: answers are not heard, so nothing may be sent (503)."""
        if not self._listening():
            raise Retry("outcomes are not heard now, so nothing was sent", after=2)

    async def ask(self, send: Callable[[str, Settled], None]) -> Answer:
        """The answer to what ``send`` publishes, given its correlation id and whom to tell that it failed.

        :raises Retry: the broker did not take it (503).
        :raises TimeoutError: it was sent, and no answer came in time.
        """
        loop = asyncio.get_running_loop()
        correlation = str(uuid4())
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting[correlation] = future

        def settled(failure: Exception | None) -> None:
            if failure is not None:
                loop.call_soon_threadsafe(_fail, future, failure)

        try:
            send(correlation, settled)
            async with asyncio.timeout(self._timeout):
                return await future
        finally:
            self._waiting.pop(correlation, None)

    def waits(self, correlation_id: str | None) -> bool:
        """Whether somebody waits for an answer with this id."""
        return (correlation_id or "") in self._waiting

    def tell(self, correlation_id: str | None, answer: Answer) -> None:
        """Wake who waits for it, in whatever thread; the first to tell counts."""
        future = self._waiting.get(correlation_id or "")
        if future is not None:
            future.get_loop().call_soon_threadsafe(_tell, future, answer)


def _tell(future: asyncio.Future[Answer], answer: Answer) -> None:
    if not future.done():
        future.set_result(answer)


def _fail(future: asyncio.Future[Answer], failure: Exception) -> None:
    if not future.done():
        future.set_exception(failure)
