"""Decisions on integrations and warnings: published to the connectors, answered after their commit."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import structlog
from pydantic import ValidationError

from api.command_producer import DeliveryCallback
from api.integration_event_consumer import CHANGED, DECIDED, decode_event
from api.pending_replies import PendingReplies, Reply, Sender
from api.principal import Principal
from api.problems import DecisionPending
from api.reply_record import ReplyRecord
from schemas.avro_codec import AvroDecoder
from schemas.cloudevent_headers import JSON, event_headers
from schemas.errors import FieldError, InteractionsError, Reject
from schemas.integration_decisions import (
    DECIDE,
    DECISION_TYPES,
    Decision,
    IntegrationAddition,
    IntegrationChange,
    IntegrationOperation,
    IntegrationRemoval,
    WarningsDecision,
)
from schemas.integration_events import IntegrationChanged, WarningsDecided
from schemas.outgoing_record import OutgoingRecord
from schemas.sources import GATEWAY
from schemas.topics import INTEGRATION_DECISIONS

_log = structlog.get_logger("gateway")
_KINDS: Final = {model: kind for kind, model in DECISION_TYPES.items()}


class DecisionGateway:
    """Publishes decisions and matches the connectors' replies to them by correlation id.

    :param connected: returns whether replies are being consumed. Nothing is sent before.
    :param timeout: seconds to wait for a reply.
    """

    def __init__(
        self, sender: Sender, decoder: AvroDecoder, *, connected: Callable[[], bool], timeout: float
    ) -> None:
        self._sender = sender
        self._decoder = decoder
        self._decided: PendingReplies[WarningsDecided] = PendingReplies(connected=connected, timeout=timeout)
        self._changed: PendingReplies[IntegrationChanged] = PendingReplies(
            connected=connected, timeout=timeout
        )

    async def execute(self, principal: Principal, decision: WarningsDecision) -> WarningsDecided:
        """Publish a decision on warnings and return its outcome once the connectors have committed it.

        :raises Retry: the broker did not accept it (503).
        :raises DecisionPending: it was sent, and no reply arrived in time (504).
        """
        return await self._request(self._decided, principal, DECIDE, decision)

    async def change(
        self,
        principal: Principal,
        decision: IntegrationAddition | IntegrationChange | IntegrationRemoval | IntegrationOperation,
    ) -> IntegrationChanged:
        """Publish a decision on an integration and return its outcome once the connectors have executed it.

        :raises Reject: the connectors refused it (400 with fields, otherwise 409).
        :raises Retry: the broker did not accept it (503).
        :raises DecisionPending: it was sent, and no reply arrived in time (504).
        """
        reply = await self._request(self._changed, principal, _KINDS[type(decision)], decision)
        if reply.outcome == "refused":
            errors = tuple(FieldError(error.code, error.detail, error.pointer) for error in reply.errors)
            code, detail = reply.code or "refused", reply.detail or "The connectors refused the change."
            raise Reject(code, detail, status=400 if errors else 409, errors=errors)
        return reply

    def on_results(self, records: Iterable[ReplyRecord]) -> None:
        """Resolve the pending decisions of these records. Callable from any thread."""
        for record in records:
            correlation_id = record.correlation_id
            try:
                if record.outcome == DECIDED and self._decided.is_pending(correlation_id):
                    decided = WarningsDecided.model_validate(decode_event(record.value, self._decoder))
                    self._decided.resolve(correlation_id, decided)
                elif record.outcome == CHANGED and self._changed.is_pending(correlation_id):
                    changed = IntegrationChanged.model_validate(decode_event(record.value, self._decoder))
                    self._changed.resolve(correlation_id, changed)
            except (InteractionsError, ValidationError) as error:
                _log.warning("gateway.result_unreadable", reason=type(error).__name__)

    async def _request(
        self, replies: PendingReplies[Reply], principal: Principal, kind: str, decision: Decision
    ) -> Reply:
        replies.require_connected()

        def send(correlation_id: str, on_delivery: DeliveryCallback) -> None:
            self._sender.send(_record(principal, kind, decision, correlation_id), on_delivery)

        try:
            return await replies.request(send)
        except TimeoutError:
            raise DecisionPending from None


def _record(principal: Principal, kind: str, decision: Decision, correlation_id: str) -> OutgoingRecord:
    value = decision.model_dump_json(by_alias=True).encode()
    headers = event_headers(
        JSON,
        id=correlation_id,
        source=GATEWAY,
        type=kind,
        tenantid=principal.tenant_id,
        organizationid=principal.organization_id,
        correlationid=correlation_id,
        actorid=principal.subject,
    )
    return OutgoingRecord(INTEGRATION_DECISIONS, decision.integration_id, value, headers)
