"""Decisions on warnings: published for the connectors, answered once they have carried them out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol
from uuid import uuid4

import structlog
from pydantic import ValidationError

from api.principal import Principal
from api.problems import UndecidedYet
from runtime.command_sender import Settled
from runtime.mapping_listener import DECIDED
from runtime.outcome_listener import Heard
from schemas.errors import Retry
from schemas.integration_decisions import DECIDE, WarningsDecision
from schemas.integration_events import WarningsDecided
from schemas.sources import GATEWAY
from schemas.topics import INTEGRATION_DECISIONS

_log = structlog.get_logger("gateway")


class Sender(Protocol):
    """What queues a record (``runtime.command_sender``)."""

    def send(
        self, key: str, value: bytes, headers: list[tuple[str, str | bytes]], settled: Settled, topic: str
    ) -> None:
        """Queue one record for a topic."""
        ...


class DecisionGateway:
    """Publishes decisions and finds what became of them among all that the listener hears.

    :param listening: whether answers are heard; before, nothing is sent.
    :param timeout: seconds until an answer counts as unknown.
    """

    def __init__(self, sender: Sender, *, listening: Callable[[], bool], timeout: float) -> None:
        self._sender = sender
        self._listening = listening
        self._timeout = timeout
        self._waiting: dict[str, asyncio.Future[WarningsDecided]] = {}

    async def carry_out(self, principal: Principal, decision: WarningsDecision) -> WarningsDecided:
        """What became of the decision: the connectors have committed it.

        :raises Retry: the broker did not take it (503).
        :raises UndecidedYet: it was sent, and what became of it was not told in time (504).
        """
        if not self._listening():
            raise Retry("answers are not heard now, so nothing was sent", after=2)
        loop = asyncio.get_running_loop()
        correlation = str(uuid4())
        future: asyncio.Future[WarningsDecided] = loop.create_future()
        self._waiting[correlation] = future

        def settled(failure: Exception | None) -> None:
            if failure is not None:
                loop.call_soon_threadsafe(_fail, future, failure)

        value = decision.model_dump_json(by_alias=True).encode()
        headers = _headers(principal, correlation)
        try:
            self._sender.send(decision.integration_id, value, headers, settled, INTEGRATION_DECISIONS)
            async with asyncio.timeout(self._timeout):
                return await future
        except TimeoutError:
            raise UndecidedYet from None
        finally:
            self._waiting.pop(correlation, None)

    def heard(self, items: Iterable[Heard]) -> None:
        """Wake those who wait for one of these; called in the loop's thread."""
        for item in items:
            future = self._waiting.get(item.correlation_id or "") if item.outcome == DECIDED else None
            if future is None or future.done():
                continue
            try:
                future.set_result(WarningsDecided.model_validate_json(item.value))
            except ValidationError as error:
                _log.warning("gateway.result_unreadable", reason=type(error).__name__)


def _fail(future: asyncio.Future[WarningsDecided], failure: Exception) -> None:
    if not future.done():
        future.set_exception(failure)


def _headers(principal: Principal, correlation: str) -> list[tuple[str, str | bytes]]:
    return [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_id", correlation),
        ("ce_source", GATEWAY),
        ("ce_type", DECIDE),
        ("ce_tenantid", principal.tenant_id),
        ("ce_organizationid", principal.organization_id),
        ("ce_correlationid", correlation),
        ("ce_actorid", principal.subject),
    ]
