"""A server whose thread fails exits with a status that its supervisor detects."""

from __future__ import annotations

import os
import signal

import pytest

from api import result_consumer
from api.result_consumer import ResultConsumer
from runtime import supervised_thread
from runtime.settings import Settings
from schemas.errors import Stop


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr("runtime.supervised_thread.os.kill", lambda pid, number: sent.append((pid, number)))
    monkeypatch.setattr("runtime.supervised_thread.faulthandler.dump_traceback_later", lambda *_, **__: None)
    monkeypatch.setattr(supervised_thread, "_ended_by", [])
    return sent


def test_a_failed_listener_ends_its_process(
    signals: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise Stop("no such property")

    monkeypatch.setattr(result_consumer, "TopicTail", fails)
    consumer = ResultConsumer(Settings())
    consumer.start(lambda _: None)
    consumer._thread.join(10)
    assert signals == [(os.getpid(), signal.SIGTERM)]
    assert "no such property" in str(supervised_thread.thread_failure())
