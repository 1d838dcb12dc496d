"""Decisions on integrations and warnings: published for the connectors, answered once carried out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog
from pydantic import ValidationError

from api.command_producer import Settled
from api.integration_event_consumer import CHANGED, DECIDED
from api.pending_replies import Answer, PendingReplies, Sender
from api.principal import Principal
from api.problems import UndecidedYet
from api.result_consumer import Heard
from schemas.errors import FieldError, Reject
from schemas.integration_decisions import (
    CHANGE,
    DECIDE,
    REMOVE,
    Decision,
    IntegrationChange,
    IntegrationRemoval,
    WarningsDecision,
)
from schemas.integration_events import IntegrationChanged, WarningsDecided
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
        self._decided: PendingReplies[WarningsDecided] = PendingReplies(listening=listening, timeout=timeout)
        self._changed: PendingReplies[IntegrationChanged] = PendingReplies(
            listening=listening, timeout=timeout
        )

    async def execute(self, principal: Principal, decision: WarningsDecision) -> WarningsDecided:
        """What became of the decision: the connectors have committed it.

        :raises Retry: the broker did not take it (503).
        :raises UndecidedYet: it was sent, and what became of it was not told in time (504).
        """
        return await self._ask(self._decided, principal, DECIDE, decision)

    async def change(
        self, principal: Principal, decision: IntegrationChange | IntegrationRemoval
    ) -> IntegrationChanged:
        """The outcome of a change or removal: the connectors have committed it.

        :raises Reject: the connectors refuse it (400 with fields, otherwise 409).
        :raises Retry: the broker did not take it (503).
        :raises UndecidedYet: it was sent, and its outcome is not known in time (504).
        """
        kind = CHANGE if isinstance(decision, IntegrationChange) else REMOVE
        answer = await self._ask(self._changed, principal, kind, decision)
        if answer.outcome == "refused":
            errors = tuple(FieldError(one.code, one.detail, one.pointer) for one in answer.errors)
            code, detail = answer.code or "refused", answer.detail or "the connectors refuse it"
            raise Reject(code, detail, status=400 if errors else 409, errors=errors)
        return answer

    def heard(self, items: Iterable[Heard]) -> None:
        """Wake those who wait for one of these, in whatever thread."""
        for item in items:
            try:
                if item.outcome == DECIDED and self._decided.waits(item.correlation_id):
                    told = WarningsDecided.model_validate_json(item.value)
                    self._decided.tell(item.correlation_id, told)
                elif item.outcome == CHANGED and self._changed.waits(item.correlation_id):
                    changed = IntegrationChanged.model_validate_json(item.value)
                    self._changed.tell(item.correlation_id, changed)
            except ValidationError as error:
                _log.warning("gateway.result_unreadable", reason=type(error).__name__)

    async def _ask(
        self, asking: PendingReplies[Answer], principal: Principal, kind: str, decision: Decision
    ) -> Answer:
        asking.require_listening()

        def send(correlation: str, settled: Settled) -> None:
            value = decision.model_dump_json(by_alias=True).encode()
            headers = _headers(principal, kind, correlation)
            self._sender.send(decision.integration_id, value, headers, settled, INTEGRATION_DECISIONS)

        try:
            return await asking.ask(send)
        except TimeoutError:
            raise UndecidedYet from None


def _headers(principal: Principal, kind: str, correlation: str) -> list[tuple[str, str | bytes]]:
    return [
        ("content-type", "application/json"),
        ("ce_specversion", "1.0"),
        ("ce_id", correlation),
        ("ce_source", GATEWAY),
        ("ce_type", kind),
        ("ce_tenantid", principal.tenant_id),
        ("ce_organizationid", principal.organization_id),
        ("ce_correlationid", correlation),
        ("ce_actorid", principal.subject),
    ]
