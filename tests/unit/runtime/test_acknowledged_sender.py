"""The synchronous producer tells an outage from a record that is refused for good."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from runtime import acknowledged_sender
from runtime.acknowledged_sender import AcknowledgedSender
from runtime.settings import Settings
from schemas.errors import Reject, Retry
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS


class Client:
    """A producer that reports one error for every record.

    :param at_once: it refuses the record instead of reporting the error later.
    """

    def __init__(self, code: int, *, at_once: bool) -> None:
        self._error, self._at_once = KafkaError(code), at_once
        self._reports: list[Any] = []

    def produce(self, _: str, *, on_delivery: Any, **__: Any) -> None:
        if self._at_once:
            raise KafkaException(self._error)
        self._reports.append(on_delivery)

    def flush(self, _: float) -> int:
        for report in self._reports:
            report(self._error, None)
        return 0

    def purge(self) -> None:
        self._reports = []


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    ("code", "raised"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, Reject),
        (KafkaError.INVALID_RECORD, Reject),
        (KafkaError._MSG_TIMED_OUT, Retry),
    ],
)
def test_an_error(code: int, raised: type[Exception], at_once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acknowledged_sender, "make_producer", lambda *_, **__: Client(code, at_once=at_once))
    with pytest.raises(raised):
        AcknowledgedSender(Settings()).send([OutgoingRecord(COMMANDS, "key", b"value")])
