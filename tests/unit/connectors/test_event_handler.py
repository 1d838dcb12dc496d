"""An event that cannot be marked is skipped; the others mark their items."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from structlog.testing import capture_logs

from connectors.service import event_handler
from connectors.service.decision_handler import DecisionHandler
from connectors.service.event_handler import EventHandler
from runtime.connector_settings import ConnectorSettings
from runtime.settings import Settings
from schemas.errors import Reject, Stop


class Desk:
    """An event handler whose marks are the values of its events."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        settings = Settings(kafka_bootstrap_servers="127.0.0.1:9", schema_registry_url="http://127.0.0.1:9")
        self.marked: list[bytes] = []
        self.handler = EventHandler(settings, threading.Event(), threading.Event())
        monkeypatch.setattr(self.handler, "_decode", self._decode)
        monkeypatch.setattr(event_handler, "list_integrations", lambda _: ["one"])
        monkeypatch.setattr(event_handler, "marks_for_event", lambda _, event, __: [event["value"]])
        monkeypatch.setattr(event_handler, "mark_local", self._mark_local)
        monkeypatch.setattr(event_handler, "release_erased", lambda *_: 0)

    @staticmethod
    def _decode(value: bytes) -> tuple[str, dict[str, Any]]:
        if value == b"undecodable":
            raise Reject("undecodable", "very private words")
        return "kind", {} if value == b"odd" else {"value": value}

    def _mark_local(self, _: Any, marks: Sequence[bytes], __: Any) -> int:
        if b"bad id" in marks:
            raise psycopg.DataError("very private words")
        self.marked += marks
        return len(marks)

    def take(self, *values: bytes) -> None:
        connection: Any = None
        self.handler._mark(connection, values)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


@pytest.mark.parametrize(
    ("value", "error"), [(b"undecodable", "Reject"), (b"odd", "KeyError"), (b"bad id", "DataError")]
)
def test_an_event_that_cannot_be_marked_is_skipped(desk: Desk, value: bytes, error: str) -> None:
    with capture_logs() as logs:
        desk.take(b"first", value, b"last")
    assert desk.marked == [b"first", b"last"]
    (line,) = logs
    assert (line["event"], line["error"]) == ("connectors.event_isolated", error)
    assert "private" not in str(logs)


def test_when_no_event_can_be_marked_the_role_ends(desk: Desk) -> None:
    with pytest.raises(Stop, match="broken deployment"):
        desk.take(*[b"odd"] * 101)


def test_a_decision_that_fails_unexpectedly_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(kafka_bootstrap_servers="127.0.0.1:9", schema_registry_url="http://127.0.0.1:9")
    events: Any = None
    stop, executed = threading.Event(), []
    handler = DecisionHandler(settings, events, stop, threading.Event(), ConnectorSettings(), events)

    def decide(_: Any, __: Any, value: bytes) -> None:
        if value == b"odd":
            raise psycopg.DataError("very private words")
        executed.append(value)

    monkeypatch.setattr(handler._connection, "run", lambda work: work(None))
    monkeypatch.setattr(handler, "_decide", decide)
    with capture_logs() as logs:
        handler([({}, b"first"), ({}, b"odd"), ({}, b"last")])
    assert executed == [b"first", b"last"]
    assert [log["event"] for log in logs] == ["connectors.decision_isolated"]
    assert "private" not in str(logs)
    with pytest.raises(Stop, match="broken deployment"):
        handler([({}, b"odd")] * 101)
    stop.set()
    with pytest.raises(psycopg.DataError):
        handler([({}, b"odd")])
