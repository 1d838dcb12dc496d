"""Two clients alternate under one transactional-id lease, and are replaced when the lease is lost."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from runtime.bounded_call import CallTimeout
from runtime.settings import Settings
from streams import transactional_producer
from streams.heartbeat import Heartbeat
from streams.transactional_producer import TransactionalProducer


class Client:
    def __init__(self, transactional_id: str) -> None:
        self.id = transactional_id
        self.ready = False

        self.calls: list[str] = []
        self.failures: list[KafkaException] = []

    def init_transactions(self, _seconds: float) -> None:
        self.ready = True

    def commit_transaction(self, _seconds: float) -> None:
        self.calls.append("commit")
        if self.failures:
            raise self.failures.pop(0)

    def abort_transaction(self, _seconds: float) -> None:
        self.calls.append("abort")
        if self.failures:
            raise self.failures.pop(0)


@dataclass
class FakeLease:
    transactional_id: str
    mine: bool = True

    def held(self) -> bool:
        return self.mine


@pytest.fixture
def leases(monkeypatch: pytest.MonkeyPatch) -> list[FakeLease]:
    leased: list[FakeLease] = []

    monkeypatch.setattr(
        transactional_producer, "make_producer", lambda _, **options: Client(options["transactional.id"])
    )
    return leased


@pytest.fixture
def producer(leases: list[FakeLease]) -> TransactionalProducer:
    def acquire() -> FakeLease:
        leases.append(FakeLease(f"id-{len(leases)}"))
        return leases[-1]

    return TransactionalProducer(Settings(), "applier", "publisher", acquire, Heartbeat(), threading.Event())


def _open(producer: TransactionalProducer) -> Client:
    found: Any = producer.open()
    assert found.ready
    client: Client = found
    return client


def _commit(producer: TransactionalProducer) -> None:
    client: Any = producer.open()
    producer.commit(client)


def test_both_are_initialized_before_the_first_is_used(producer: TransactionalProducer) -> None:
    """A former owner may have left a transaction open under either id."""
    assert _open(producer).id == "id-0"
    clients: list[Any] = producer._clients
    assert [(client.id, client.ready) for client in clients] == [("id-0", True), ("id-0-b", True)]


def test_the_clients_alternate(producer: TransactionalProducer) -> None:
    ids = []
    for _ in range(4):
        ids.append(_open(producer).id)
        _commit(producer)
    assert ids == ["id-0", "id-0-b", "id-0", "id-0-b"]


def test_only_the_client_whose_turn_it_is_is_replaced(producer: TransactionalProducer) -> None:
    first = _open(producer)
    _commit(producer)
    second = _open(producer)
    producer.replace("it broke", hanging=False)
    assert _open(producer) is not second
    assert _open(producer).id == second.id
    _commit(producer)
    assert _open(producer) is first


def test_no_client_outlives_the_lease(producer: TransactionalProducer, leases: list[FakeLease]) -> None:
    """Another process may hold the lease by now; with the same ids the two would fence each other."""
    _open(producer)
    leases[0].mine = False
    producer.replace("the database ended our session", hanging=False)
    assert _open(producer).id == "id-1"
    _commit(producer)
    assert _open(producer).id == "id-1-b"


def _failure(*, retriable: bool) -> KafkaException:
    return KafkaException(KafkaError(KafkaError._TIMED_OUT, "timed out", False, retriable, False))


def test_a_commit_of_unknown_outcome_is_asked_again(producer: TransactionalProducer) -> None:
    client: Any = _open(producer)
    client.failures = [_failure(retriable=True), _failure(retriable=True)]
    producer.commit(client)
    assert client.calls == ["commit"] * 3
    assert _open(producer) is not client, "it is the other's turn"


def test_a_commit_that_stays_unknown_gives_the_client_up(
    producer: TransactionalProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactional_producer, "_COMMIT_SECONDS", 0.0)
    client: Any = _open(producer)
    client.failures = [_failure(retriable=True)]
    with pytest.raises(CallTimeout):
        producer.commit(client)


def test_a_refused_commit_keeps_the_turn(producer: TransactionalProducer) -> None:
    client: Any = producer.open()
    client.failures = [_failure(retriable=False), _failure(retriable=False)]
    with pytest.raises(KafkaException):
        producer.commit(client)
    assert _open(producer) == client
    assert producer.aborted(client) is False
    assert producer.aborted(client) is True
