"""A worker ends soon after a stage has failed, even when another stage hangs."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from schemas.errors import Stop
from streams import app
from streams.app import StageService
from streams.heartbeat import Heartbeat


def test_a_hanging_stage_does_not_keep_a_failed_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_JOIN_SECONDS_FAILED", 0.5)
    release, stop = threading.Event(), threading.Event()

    def fails() -> None:
        raise Stop("fenced")

    def hangs() -> None:
        release.wait(30)

    async def run() -> float:
        stages = [("fails", fails), ("hangs", hangs), ("hangs too", hangs)]
        service = StageService("test", stages, Heartbeat(), stop)
        await service.on_start()
        await asyncio.to_thread(stop.wait, 30)
        began = time.monotonic()
        await service.on_stop()
        return time.monotonic() - began

    try:
        assert asyncio.run(asyncio.wait_for(_after(run(), release), 40)) < 5
    finally:
        release.set()


async def _after(waited: asyncio.Future[float] | object, release: threading.Event) -> float:
    taken = await waited  # type: ignore[misc]
    release.set()  # the pool's threads must end with the event loop
    return float(taken)


def test_a_shorter_limit_of_a_stage_applies() -> None:
    heartbeat = Heartbeat()
    heartbeat.beat("writer")
    heartbeat.beat("publisher", within=0.05)
    time.sleep(0.1)
    assert heartbeat.silent(60) == ["publisher"]
    heartbeat.beat("publisher")
    assert heartbeat.silent(60) == []
