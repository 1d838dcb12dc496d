"""Operations on providers: one hanging provider takes one thread, and is reported by name."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.service import provider_operations
from connectors.service.health import RoleHealth
from connectors.service.integration_operations import Outcome
from connectors.service.provider_operations import ProviderOperations
from connectors.store.integrations import Integration
from runtime.connector_settings import ConnectorSettings
from runtime.settings import Settings
from schemas.integration_decisions import IntegrationOperation
from tests.harness.integrations import an_integration
from tests.harness.wire import ORGANIZATION, TENANT

_CONNECTION: Any = None


class World:
    """Two threads; operations of the integration ``hanging`` do not return until ``go_on`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.go_on, self.begun = threading.Event(), threading.Semaphore(0)
        self.stopping = threading.Event()
        self.operations = ProviderOperations(
            Settings(), ConnectorSettings(), self.stopping, clock=lambda: self.now
        )
        monkeypatch.setattr(self.operations, "_execute", self._execute)
        monkeypatch.setattr(provider_operations, "read_integration", lambda _, identity: _an(identity))

    def _execute(self, _: object, task: Any) -> Outcome:
        self.begun.release()
        if task.integration.id == "hanging":
            assert self.go_on.wait(30)
        return {"outcome": "done", "state": "active"}

    @contextmanager
    def running(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.operations.run, args=(_CONNECTION,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.go_on.set()
            self.stopping.set()
            for thread in threads:
                thread.join(30)

    def submit(self, identity: str, answer: Callable[[Integration, Outcome], None]) -> None:
        wanted = IntegrationOperation(integrationId=identity, operation="test")
        assert self.operations.submit(_an(identity), wanted, answer)


def _an(identity: str) -> Integration:
    return an_integration(identity, TENANT, ORGANIZATION)


def test_a_hanging_provider_takes_one_thread_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    world, done, all_done = World(monkeypatch), threading.Event(), threading.Semaphore(0)
    health = RoleHealth(Settings(), ConnectorSettings(), (world.operations,), clock=lambda: world.now)
    health._refreshed_at = 0.0
    with world.running():
        for _ in range(3):
            world.submit("hanging", lambda *_: all_done.release())
        assert world.begun.acquire(timeout=30)
        world.submit("healthy", lambda *_: done.set())
        assert done.wait(30), "the operations of one integration took every thread"
        world.now = 1_000.0
        health._refreshed_at = world.now
        stuck = health.stuck()
        assert stuck is not None
        assert "integration hanging" in stuck
        world.go_on.set()
        for _ in range(3):
            assert all_done.acquire(timeout=30)
    assert world.operations.longest_running() is None


def test_an_outcome_that_cannot_be_published_does_not_end_the_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, done = World(monkeypatch), threading.Event()

    def fail(*_: object) -> None:
        raise ValueError("a defect")

    with world.running():
        for _ in range(3):
            world.submit("odd", fail)
        world.submit("healthy", lambda *_: done.set())
        assert done.wait(30)
