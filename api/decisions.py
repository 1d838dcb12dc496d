"""Decisions on warnings: published for the connectors, answered once they have carried them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog
from pydantic import ValidationError

from api.asking import Asking, Sender
from api.principal import Principal
from api.problems import UndecidedYet
from runtime.command_sender import Settled
from runtime.mapping_listener import DECIDED
from runtime.outcome_listener import Heard
from schemas.integration_decisions import DECIDE, WarningsDecision
from schemas.integration_events import WarningsDecided
from schemas.sources import GATEWAY
from schemas.topics import INTEGRATION_DECISIONS

_log = structlog.get_logger("gateway")


class DecisionGateway:
    """Publishes decisions and finds what became of them among all that the listener hears.

    :param listening: whether answers are heard; before, nothing is sent.
    :param timeout: seconds until an answer counts as unknown.
    """

    def __init__(self, sender: Sender, *, listening: Callable[[], bool], timeout: float) -> None:
        self._sender = sender
        self._asking: Asking[WarningsDecided] = Asking(listening=listening, timeout=timeout)

    async def carry_out(self, principal: Principal, decision: WarningsDecision) -> WarningsDecided:
        """What became of the decision: the connectors have committed it.

        :raises Retry: the broker did not take it (503).
        :raises UndecidedYet: it was sent, and what became of it was not told in time (504).
        """
        self._asking.require_listening()

        def send(correlation: str, settled: Settled) -> None:
            value = decision.model_dump_json(by_alias=True).encode()
            headers = _headers(principal, correlation)
            self._sender.send(decision.integration_id, value, headers, settled, INTEGRATION_DECISIONS)

        try:
            return await self._asking.ask(send)
        except TimeoutError:
            raise UndecidedYet from None

    def heard(self, items: Iterable[Heard]) -> None:
        """Wake those who wait for one of these, in whatever thread."""
        for item in items:
            if item.outcome != DECIDED or not self._asking.waits(item.correlation_id):
                continue
            try:
                self._asking.tell(item.correlation_id, WarningsDecided.model_validate_json(item.value))
            except ValidationError as error:
                _log.warning("gateway.result_unreadable", reason=type(error).__name__)


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
