"""An event that the drafts role cannot handle is skipped; the others get their drafts."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from runtime.outages import AskedToStopError
from runtime.settings import Settings
from schemas.errors import Reject, Stop
from schemas.signal_events import SIGNAL_RESOLVING
from streams.drafts import drafting
from streams.drafts.drafting import Drafting
from streams.drafts.writers.template import TemplateWriter
from streams.heartbeat import Heartbeat


@dataclass
class Message:
    value: bytes
    partition: int = 3
    offset: int = 17
    headers: Any = field(default_factory=lambda: [("ce_type", SIGNAL_RESOLVING.encode())])


class Desk:
    """A drafts role whose events are decoded and answered by the test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stop = threading.Event()
        self.answered: list[str] = []
        settings = Settings(kafka_bootstrap_servers="127.0.0.1:9", schema_registry_url="http://127.0.0.1:9")
        self.role = Drafting(settings, TemplateWriter(), Heartbeat(), self.stop)
        monkeypatch.setattr(self.role, "_decode", self._decode)
        monkeypatch.setattr(drafting, "answer", self._answer)

    @staticmethod
    def _decode(value: bytes) -> tuple[str, dict[str, Any]]:
        if value == b"undecodable":
            raise Reject("undecodable", "very private words")
        return SIGNAL_RESOLVING, {"id": value.decode()}

    def _answer(self, event: dict[str, Any], *_: Any) -> None:
        if event["id"] == "odd":
            raise TypeError("very private words")
        if event["id"] == "stopping":
            raise AskedToStopError("asked to stop")
        self.answered.append(event["id"])


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(monkeypatch)


@pytest.mark.parametrize(("value", "error"), [(b"undecodable", "Reject"), (b"odd", "TypeError")])
def test_an_event_that_cannot_be_handled_is_skipped(desk: Desk, value: bytes, error: str) -> None:
    with capture_logs() as logs:
        desk.role.take([Message(b"first"), Message(value), Message(b"last")])
    assert sorted(desk.answered) == ["first", "last"]
    (line,) = [log for log in logs if log["event"] == "drafts.isolated"]
    assert (line["partition"], line["offset"], line["error"]) == (3, 17, error)
    assert "private" not in str(logs)


def test_when_no_event_can_be_handled_the_role_ends(desk: Desk) -> None:
    with pytest.raises(Stop, match="broken deployment"):
        desk.role.take([Message(b"odd")] * 101)


def test_events_that_are_not_answered_at_the_end_are_read_once_more(desk: Desk) -> None:
    with pytest.raises(AskedToStopError):
        desk.role.take([Message(b"stopping")])
    desk.stop.set()
    with pytest.raises(TypeError):
        desk.role.take([Message(b"odd")])
