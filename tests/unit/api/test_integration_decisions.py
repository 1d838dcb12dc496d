"""Decisions without servers: each request gets its own reply, and an unknown outcome is not claimed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest

from api.command_producer import DeliveryCallback
from api.integration_decisions import DecisionGateway
from api.integration_event_consumer import DECIDED
from api.principal import Principal
from api.problems import DecisionPending, response_of
from api.reply_record import ReplyRecord
from schemas.errors import Retry
from schemas.integration_decisions import WarningsDecision
from schemas.integration_events import PREFIX, WarningsDecided
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import INTEGRATION_DECISIONS
from tests.harness.memory_registry import MemoryRegistry

REGISTRY = MemoryRegistry.of_the_contract()
DECODER = REGISTRY.decoder()
WHO = Principal(tenant_id="t", organization_id="o", subject="ada", features=frozenset())
WARNING = "11111111-1111-4111-8111-111111111111"
DECISION = WarningsDecision.model_validate(
    {
        "integrationId": "board-1",
        "resolution": "take_local",
        "warnings": [{"id": WARNING, "updatedAt": "2026-03-01T09:00:00.000000Z"}],
    }
)
REPLY = WarningsDecided.model_validate(
    {
        "integrationId": "board-1",
        "provider": "trello",
        "resolution": "take_local",
        "taken": [WARNING],
        "left": [],
    }
)


def _record(correlation: str, **more: Any) -> ReplyRecord:
    heard = ReplyRecord(
        partition=100_000,
        offset=1,
        correlation_id=correlation,
        tenant_id="t",
        organization_id="o",
        outcome=DECIDED,
        value=REGISTRY.encoder().encode(f"{PREFIX}decided", REPLY.model_dump(by_alias=True)),
        fresh=True,
    )
    return replace(heard, **more)


@dataclass
class Broker:
    """Accepts records; the test resolves them."""

    answer: Callable[[DecisionGateway, str], None]
    refuses: bool = False
    gateway: DecisionGateway | None = None
    sent: list[OutgoingRecord] = field(default_factory=list)

    def send(self, record: OutgoingRecord, on_delivery: DeliveryCallback) -> None:
        self.sent.append(record)
        if self.refuses:
            on_delivery(Retry("the broker did not accept it", after=2))
            return
        on_delivery(None)
        assert self.gateway is not None
        self.answer(self.gateway, str(dict(record.headers)["ce_correlationid"]))


def _execute(broker: Broker, *, connected: bool = True, timeout: float = 5.0) -> WarningsDecided:
    async def run() -> WarningsDecided:
        broker.gateway = DecisionGateway(broker, DECODER, connected=lambda: connected, timeout=timeout)
        return await broker.gateway.execute(WHO, DECISION)

    return asyncio.run(run())


def test_the_reply_of_the_connectors_is_returned() -> None:
    broker = Broker(lambda gateway, mine: gateway.on_results([_record("another's"), _record(mine)]))
    assert _execute(broker) == REPLY
    [record] = broker.sent
    key, value, headers, topic = record.key, record.value or b"", dict(record.headers), record.topic
    assert (key, topic) == ("board-1", INTEGRATION_DECISIONS)
    assert (headers["ce_tenantid"], headers["ce_organizationid"], headers["ce_actorid"]) == ("t", "o", "ada")
    assert WarningsDecision.model_validate_json(value) == DECISION


@pytest.mark.parametrize(
    "answer",
    [
        lambda gateway, mine: None,
        lambda gateway, mine: gateway.on_results([_record("another's")]),
        lambda gateway, mine: gateway.on_results([_record(mine, outcome="applied")]),
        lambda gateway, mine: gateway.on_results([_record(mine, value=b"{}")]),
    ],
)
def test_without_its_own_reply_the_outcome_is_pending(answer: Any) -> None:
    with pytest.raises(DecisionPending):
        _execute(Broker(answer), timeout=0.2)


def test_a_reply_of_an_earlier_version_is_read_as_json() -> None:
    value = REPLY.model_dump_json(by_alias=True).encode()
    broker = Broker(lambda gateway, mine: gateway.on_results([_record(mine, value=value)]))
    assert _execute(broker) == REPLY


def test_a_delivery_failure_is_raised_at_once() -> None:
    with pytest.raises(Retry, match="did not accept it"):
        _execute(Broker(lambda *_: None, refuses=True))


def test_nothing_is_sent_while_disconnected() -> None:
    broker = Broker(lambda *_: None)
    with pytest.raises(Retry):
        _execute(broker, connected=False)
    assert not broker.sent


def test_a_pending_decision_is_a_504_without_a_command_url() -> None:
    answer = response_of(DecisionPending())
    assert answer.status_code == 504
    problem = orjson.loads(answer.body)
    assert problem["code"] == "outcome_unknown"
    assert "commandUrl" not in problem
