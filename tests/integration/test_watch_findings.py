"""Findings of the watch: stored before they are published, published once per occurrence, healed, bounded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.outgoing_record import OutgoingRecord
from sinks.integrity.report import integrity_report
from sinks.integrity.violations import Violation
from streams.watch import findings
from streams.watch.findings import Findings
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = pytest.mark.integration


class Topic:
    """Stands for the sender.

    :ivar error: raised by the next sends.
    """

    def __init__(self) -> None:
        self.records: list[OutgoingRecord] = []
        self.error: BaseException | None = None

    def send(self, records: Sequence[OutgoingRecord]) -> None:
        if self.error is not None:
            raise self.error
        self.records += records

    def ids(self) -> list[Any]:
        return [dict(record.headers)["ce_id"] for record in self.records]


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test", autocommit=True) as opened:
        yield opened


def _findings(connection: Connection, topic: Topic) -> Findings:
    return Findings(connection, topic.send, lambda _name, value: repr(value).encode())


def _lost(what: str = "a signal that an applied command left has no row") -> Violation:
    return Violation("A14", "signal", new_id(), TENANT, ORGANIZATION, new_id(), what)


def test_a_violation_that_is_found_often_is_published_once(connection: Connection, topic: Topic) -> None:
    lost, found = _lost(), _findings(connection, topic)
    for _ in range(3):
        found.add([lost, lost])
        found.publish()
    found.check([])
    assert len(topic.records) == 1
    assert found.counts() == {"A14": 1}
    other = _findings(connection, topic)  # the successor of this process
    other.add([lost])
    other.publish()
    assert len(topic.records) == 1


def test_a_violation_is_stored_before_it_is_published(connection: Connection, topic: Topic) -> None:
    """A process that ends in between leaves the publication to its successor."""
    topic.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        _findings(connection, topic).add([_lost()])
    topic.error = None
    _findings(connection, topic).publish()
    assert len(topic.records) == 1


def test_an_event_that_was_sent_and_not_noted_keeps_its_id(
    connection: Connection, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(findings, "note_published", ended)
        with pytest.raises(KeyboardInterrupt):
            _findings(connection, topic).add([_lost()])
    _findings(connection, topic).publish()
    assert len(topic.ids()) == 2
    assert len(set(topic.ids())) == 1


def test_without_kafka_the_checks_go_on(
    connection: Connection, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _findings(connection, topic)
    topic.error = Retry("no broker")
    found.add([_lost()])
    found.add([_lost()])
    topic.error = None
    found.publish()
    assert topic.records == [], "it waits before the next attempt"
    monkeypatch.setattr(found, "_retry_at", 0.0)
    found.publish()
    assert len(set(topic.ids())) == 2


def test_damage_that_comes_back_is_another_occurrence(connection: Connection, topic: Topic) -> None:
    lost, found = replace(_lost(), check="A3", subject="customer"), _findings(connection, topic)
    for _ in range(2):
        found.add([lost])
        found.check([])  # there is no such customer, so nothing is wrong with it
        assert found.counts() == {}
    assert len(set(topic.ids())) == 2
    row = connection.execute("SELECT count(*), count(healed_at) FROM integrity_violations").fetchone()
    assert row == (1, 1)


def test_mass_damage_does_not_flood_table_and_topic(
    connection: Connection, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "MOST_OPEN", 10)
    found = _findings(connection, topic)
    for _ in range(4):
        found.add([_lost() for _ in range(8)])
    assert found.counts() == {"A14": 10}
    assert len(topic.records) == 10
    report = integrity_report(connection)
    assert report.violations == {"A14": 10}
    assert len(report.first) == 3
    assert report.idle_seconds is None
