"""Two clients take turns under one slot: ids that a successor takes over, and none without its slot."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from runtime.settings import Settings
from streams import transactional_producer as results_producer
from streams.heartbeat import Heartbeat
from streams.transactional_producer import TransactionalProducer


class Client:
    def __init__(self, transactional_id: str) -> None:
        self.id = transactional_id
        self.ready = False

    def init_transactions(self, _seconds: float) -> None:
        self.ready = True


@dataclass
class FakeLease:
    transactional_id: str
    mine: bool = True

    def held(self) -> bool:
        return self.mine


@pytest.fixture
def slots(monkeypatch: pytest.MonkeyPatch) -> list[FakeLease]:
    claimed: list[FakeLease] = []

    def claim(_settings: Settings) -> FakeLease:
        claimed.append(FakeLease(f"slot-{len(claimed)}"))
        return claimed[-1]

    monkeypatch.setattr(results_producer, "lease_transactional_id", claim)
    monkeypatch.setattr(
        results_producer, "make_producer", lambda _, **options: Client(options["transactional.id"])
    )
    return claimed


@pytest.fixture
def producer(slots: list[FakeLease]) -> TransactionalProducer:
    return TransactionalProducer(Settings(), Heartbeat(), threading.Event())


def _open(producer: TransactionalProducer) -> Client:
    found: Any = producer.open()
    assert found.ready
    client: Client = found
    return client


def test_both_are_ready_before_the_first_is_used(producer: TransactionalProducer) -> None:
    """A former owner may have left a transaction open under either id."""
    assert _open(producer).id == "slot-0"
    clients: list[Any] = producer._clients
    assert [(client.id, client.ready) for client in clients] == [("slot-0", True), ("slot-0-b", True)]


def test_they_take_turns(producer: TransactionalProducer) -> None:
    ids = []
    for _ in range(4):
        ids.append(_open(producer).id)
        producer.take_turns()
    assert ids == ["slot-0", "slot-0-b", "slot-0", "slot-0-b"]


def test_only_the_one_whose_turn_it_is_is_replaced(producer: TransactionalProducer) -> None:
    first = _open(producer)
    producer.take_turns()
    second = _open(producer)
    producer.replace("it broke", hanging=False)
    assert _open(producer) is not second
    assert _open(producer).id == second.id
    producer.take_turns()
    assert _open(producer) is first


def test_without_its_slot_no_client_is_kept(producer: TransactionalProducer, slots: list[FakeLease]) -> None:
    """Another process may have the slot by now; under its ids the two would fence each other."""
    _open(producer)
    slots[0].mine = False
    producer.replace("the database ended our session", hanging=False)
    assert _open(producer).id == "slot-1"
    producer.take_turns()
    assert _open(producer).id == "slot-1-b"
