"""Decisions without servers: an answer is only one's own, and nothing is claimed that is not known."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from api.decisions import DecisionGateway
from api.principal import Principal
from api.problems import UndecidedYet
from runtime.acknowledged_sender import OutRecord
from runtime.mapping_listener import DECIDED
from runtime.outcome_listener import Heard
from schemas.errors import Retry
from schemas.integration_decisions import WarningsDecision
from schemas.integration_events import WarningsDecided

WHO = Principal(tenant_id="t", organization_id="o", subject="ada", features=frozenset())
WARNING = "11111111-1111-4111-8111-111111111111"
DECISION = WarningsDecision.model_validate(
    {
        "integrationId": "board-1",
        "resolution": "take_local",
        "warnings": [{"id": WARNING, "updatedAt": "2026-03-01T09:00:00.000000Z"}],
    }
)
TOLD = WarningsDecided.model_validate(
    {
        "integrationId": "board-1",
        "provider": "trello",
        "resolution": "take_local",
        "taken": [WARNING],
        "left": [],
    }
)


def _heard(correlation: str, **more: Any) -> Heard:
    heard = Heard(
        partition=100_000,
        offset=1,
        correlation_id=correlation,
        tenant_id="t",
        organization_id="o",
        outcome=DECIDED,
        value=TOLD.model_dump_json(by_alias=True).encode(),
        fresh=True,
    )
    return replace(heard, **more)


def _carry_out(
    answer: Callable[[DecisionGateway, str], None], *, listening: bool = True, timeout: float = 5.0
) -> tuple[WarningsDecided, list[OutRecord]]:
    sent: list[OutRecord] = []

    async def run() -> WarningsDecided:
        loop = asyncio.get_running_loop()

        def send(records: Sequence[OutRecord]) -> None:
            sent.extend(records)
            correlation = dict(records[0].headers)["ce_correlationid"]
            assert isinstance(correlation, str)
            loop.call_soon_threadsafe(answer, gateway, correlation)

        gateway = DecisionGateway(send, listening=lambda: listening, timeout=timeout)
        return await gateway.carry_out(WHO, DECISION)

    return asyncio.run(run()), sent


def test_the_answer_is_what_the_connectors_told() -> None:
    told, [record] = _carry_out(lambda gateway, mine: gateway.heard([_heard("another's"), _heard(mine)]))
    assert told == TOLD
    assert record.key == "board-1"
    headers = dict(record.headers)
    assert (headers["ce_tenantid"], headers["ce_organizationid"], headers["ce_actorid"]) == ("t", "o", "ada")
    assert WarningsDecision.model_validate_json(record.value) == DECISION


@pytest.mark.parametrize(
    "answer",
    [
        lambda gateway, mine: None,
        lambda gateway, mine: gateway.heard([_heard("another's")]),
        lambda gateway, mine: gateway.heard([_heard(mine, outcome="applied")]),
        lambda gateway, mine: gateway.heard([_heard(mine, value=b"{}")]),
    ],
)
def test_without_an_answer_of_ones_own_nothing_is_claimed(answer: Any) -> None:
    with pytest.raises(UndecidedYet):
        _carry_out(answer, timeout=0.2)


def test_nothing_is_sent_while_answers_are_not_heard() -> None:
    def never(_gateway: DecisionGateway, _mine: str) -> None:
        raise AssertionError("it was sent")

    with pytest.raises(Retry):
        _carry_out(never, listening=False)
