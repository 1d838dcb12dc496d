"""Decisions on warnings: published for the connectors, answered once they have carried them out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from uuid import uuid4

import structlog
from pydantic import ValidationError

from api.principal import Principal
from api.problems import UndecidedYet
from runtime.acknowledged_sender import OutRecord
from runtime.mapping_listener import DECIDED
from runtime.outcome_listener import Heard
from schemas.errors import Retry
from schemas.integration_decisions import DECIDE, WarningsDecision
from schemas.integration_events import WarningsDecided
from schemas.sources import GATEWAY
from schemas.topics import INTEGRATION_DECISIONS

_log = structlog.get_logger("gateway")
Send = Callable[[Sequence[OutRecord]], None]


class DecisionGateway:
    """Publishes decisions and finds what became of them among all that the listener hears.

    :param send: returns when the broker has the records; raises ``Retry`` when it does not take them.
    :param listening: whether answers are heard; before, nothing is sent.
    :param timeout: seconds until an answer counts as unknown.
    """

    def __init__(self, send: Send, *, listening: Callable[[], bool], timeout: float) -> None:
        self._send = send
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
        correlation = str(uuid4())
        future: asyncio.Future[WarningsDecided] = asyncio.get_running_loop().create_future()
        self._waiting[correlation] = future
        try:
            await asyncio.to_thread(self._send, [_record(principal, decision, correlation)])
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


def _record(principal: Principal, decision: WarningsDecision, correlation: str) -> OutRecord:
    return OutRecord(
        INTEGRATION_DECISIONS,
        decision.integration_id,
        decision.model_dump_json(by_alias=True).encode(),
        [
            ("content-type", "application/json"),
            ("ce_specversion", "1.0"),
            ("ce_id", correlation),
            ("ce_source", GATEWAY),
            ("ce_type", DECIDE),
            ("ce_tenantid", principal.tenant_id),
            ("ce_organizationid", principal.organization_id),
            ("ce_correlationid", correlation),
            ("ce_actorid", principal.subject),
        ],
    )
