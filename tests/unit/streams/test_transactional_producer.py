"""Two clients alternate under one transactional-id lease, and are replaced when the lease is lost."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from runtime.settings import Settings
from streams import transactional_producer
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
def leases(monkeypatch: pytest.MonkeyPatch) -> list[FakeLease]:
    leased: list[FakeLease] = []

    def lease(_settings: Settings) -> FakeLease:
        leased.append(FakeLease(f"id-{len(leased)}"))
        return leased[-1]

    monkeypatch.setattr(transactional_producer, "lease_transactional_id", lease)
    monkeypatch.setattr(
        transactional_producer, "make_producer", lambda _, **options: Client(options["transactional.id"])
    )
    return leased


@pytest.fixture
def producer(leases: list[FakeLease]) -> TransactionalProducer:
    return TransactionalProducer(Settings(), Heartbeat(), threading.Event())


def _open(producer: TransactionalProducer) -> Client:
    found: Any = producer.open()
    assert found.ready
    client: Client = found
    return client


def test_both_are_initialized_before_the_first_is_used(producer: TransactionalProducer) -> None:
    """A former owner may have left a transaction open under either id."""
    assert _open(producer).id == "id-0"
    clients: list[Any] = producer._clients
    assert [(client.id, client.ready) for client in clients] == [("id-0", True), ("id-0-b", True)]


def test_the_clients_alternate(producer: TransactionalProducer) -> None:
    ids = []
    for _ in range(4):
        ids.append(_open(producer).id)
        producer.take_turns()
    assert ids == ["id-0", "id-0-b", "id-0", "id-0-b"]


def test_only_the_client_whose_turn_it_is_is_replaced(producer: TransactionalProducer) -> None:
    first = _open(producer)
    producer.take_turns()
    second = _open(producer)
    producer.replace("it broke", hanging=False)
    assert _open(producer) is not second
    assert _open(producer).id == second.id
    producer.take_turns()
    assert _open(producer) is first


def test_no_client_outlives_the_lease(producer: TransactionalProducer, leases: list[FakeLease]) -> None:
    """Another process may hold the lease by now; with the same ids the two would fence each other."""
    _open(producer)
    leases[0].mine = False
    producer.replace("the database ended our session", hanging=False)
    assert _open(producer).id == "id-1"
    producer.take_turns()
    assert _open(producer).id == "id-1-b"
