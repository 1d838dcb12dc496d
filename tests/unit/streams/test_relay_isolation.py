"""A journal entry or record that cannot be published is skipped; all others are published."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from msgspec.structs import astuple
from structlog.testing import capture_logs

from domain.journal import NOTHING, Facts, JournalEntry, RecordChange
from runtime.settings import Settings
from schemas.avro_codec import AvroEncoder
from schemas.errors import Stop
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import EVENTS, RELAY_POSITION
from sinks.journal_reader import JournalPosition
from streams.heartbeat import Heartbeat
from streams.relay.checkpoint import Checkpoint
from streams.relay.isolation import Isolation
from streams.relay.publisher import RelayPublisher
from tests.harness.journal_entries import some_entry

_TYPE = "customers.interaction_type.created"
_ENCODER = AvroEncoder({_TYPE: 7})
_LABELS = {"icon": None, "color": None, "actionable": True}
_SCOPE = dict.fromkeys(("tenantId", "organizationId"), "00000000-0000-4000-8000-000000000001")


def _entry(label: Any = "Call", kind: str = "interaction_type") -> JournalEntry:
    after = {**_SCOPE, "code": "call", "label": label, **_LABELS}
    facts = Facts(record=RecordChange(kind=kind, id="call", after=after))
    return some_entry(facts=facts, source_timestamp=datetime(2026, 3, 2, tzinfo=UTC), offset=17)


def _row(facts: str) -> tuple[Any, ...]:
    return (*astuple(_entry())[:-1], facts, None, None)


@pytest.mark.parametrize(
    "facts", ['{"version": "two"}', '{"after": {}}', "[]", '{"changes": [{"after": {"type": "x"}}]}']
)
def test_a_row_that_cannot_be_read_has_no_events(facts: str) -> None:
    isolation = Isolation()
    with capture_logs() as logs:
        entry = isolation.entry(_row(facts))
    assert entry.facts == NOTHING
    assert isolation.change(entry, _ENCODER.encode)[1:] == ((), [])
    (line,) = logs
    assert (line["event"], line["stage"], line["offset"]) == ("relay.isolated", "read", 17)
    assert isolation.entry(_row("{}")).facts == Facts()


def test_an_entry_that_cannot_be_encoded_is_skipped() -> None:
    isolation = Isolation()
    with capture_logs() as logs:
        changes = [isolation.change(_entry(label), _ENCODER.encode) for label in ("One", 2, "Three")]
    assert [len(records) for *_, records in changes] == [1, 0, 1]
    assert changes[1][0].facts == NOTHING, "neither its events nor its states"
    assert [log["stage"] for log in logs] == ["encode"]


def test_a_missing_schema_is_no_fault_of_an_entry() -> None:
    with pytest.raises(Stop, match="register the schemas"):
        Isolation().change(_entry(kind="deal"), _ENCODER.encode)


def test_when_no_entry_can_be_published_the_relay_ends() -> None:
    isolation = Isolation()
    for _ in range(100):
        isolation.change(_entry(label=2), _ENCODER.encode)
    with pytest.raises(Stop, match="broken deployment"):
        isolation.change(_entry(label=2), _ENCODER.encode)


class Client:
    """A producer whose broker takes no record of ``large``."""

    def __init__(self, *, at_once: bool) -> None:
        self.at_once = at_once
        self.committed: list[list[Any]] = []
        self._open: list[Any] = []
        self._reports: list[Callable[[], None]] = []

    def begin_transaction(self) -> None:
        self._open, self._reports = [], []

    def produce(self, topic: str, *, value: Any, on_delivery: Any, **_: Any) -> None:
        error = KafkaError(KafkaError.MSG_SIZE_TOO_LARGE) if value == b"large" else None
        if error is not None and self.at_once:
            raise KafkaException(error)
        self._open.append(value if topic != RELAY_POSITION else topic)
        self._reports.append(lambda: on_delivery(error, None))

    def flush(self, _: float) -> None:
        for report in self._reports:
            report()

    def abort_transaction(self, _: float) -> None:
        self._open = []

    def commit_transaction(self, _: float) -> None:
        self.committed.append(self._open)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_record_that_is_refused_for_good_is_left_out(
    at_once: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    client: Any = Client(at_once=at_once)
    monkeypatch.setattr("streams.transactional_producer.TransactionalProducer.open", lambda _: client)
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:9")
    refused: list[tuple[Any, str]] = []
    publisher = RelayPublisher(
        settings, Heartbeat(), threading.Event(), lambda record, error: refused.append((record.value, error))
    )
    records = [OutgoingRecord(EVENTS, "key", value) for value in (b"first", b"large", b"last")]
    publisher.publish(iter(records), "0", Checkpoint("epoch", JournalPosition()))
    assert client.committed == [[b"first", b"last", RELAY_POSITION]]
    assert refused == [(b"large", "MSG_SIZE_TOO_LARGE")]
