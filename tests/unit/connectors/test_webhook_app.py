"""Health endpoints of the webhook server, and webhooks whose body does not arrive."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from starlette.testclient import TestClient

from connectors.service import health as role_health
from connectors.service import webhook_app
from connectors.service.fair_share import FairShare
from connectors.service.health import RoleHealth
from connectors.service.integration_events import IntegrationEvents
from connectors.service.process import ConnectorsService
from connectors.service.webhook_app import WebhookApp
from runtime.connector_settings import ConnectorSettings
from runtime.isolated import note_isolated
from runtime.readiness import READY_FILE_VARIABLE, announced_url
from runtime.settings import Settings
from tests.harness.memory_registry import MemoryRegistry

ENCODE = MemoryRegistry.encoder().encode
EVENTS = IntegrationEvents(lambda _: None, ENCODE)


class Address:
    """Application with one integration in its registry, and a manual clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.share = FairShare(2, 1, clock=lambda: self.now)
        self.health = RoleHealth(Settings(), ConnectorSettings(), (self.share,), clock=lambda: self.now)
        self.refresh(monkeypatch)
        self.health.ready = True
        declaration = SimpleNamespace(features={"webhooks"})
        entry = SimpleNamespace(
            enabled=True, opened=SimpleNamespace(session=SimpleNamespace(declaration=declaration))
        )
        registry: Any = SimpleNamespace(get=lambda name: entry if name == "board-1" else None)
        self.app = WebhookApp(Settings(), registry, EVENTS, None, lambda: None, self.health)

    def refresh(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(role_health, "sync_stalls", lambda *_: [])
        self.health.refresh(None)  # type: ignore[arg-type]

    def request(self, path: str, method: str = "GET", *parts: bytes) -> tuple[int, dict[bytes, bytes], Any]:
        """Send a request whose body stops after ``parts``; return status, headers and decoded body."""
        sent: list[MutableMapping[str, Any]] = []
        left = list(parts)

        async def receive() -> MutableMapping[str, Any]:
            if not left:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": left.pop(0), "more_body": True}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "headers": [], "client": ("127.0.0.1", 1)}
        asyncio.run(self.app(scope, receive, send))
        return sent[0]["status"], dict(sent[0]["headers"]), orjson.loads(sent[1]["body"])


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Address:
    return Address(monkeypatch)


def test_a_body_that_stops_halfway_is_answered_and_its_connection_closed(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_app, "_BODY_SECONDS", 0.01)
    status, headers, answer = address.request("/webhooks/board-1", "POST", b'{"half":')
    assert status == 408
    assert headers[b"connection"] == b"close"
    assert "did not arrive" in answer["error"]


def test_a_role_that_works_is_healthy(address: Address) -> None:
    assert address.request("/healthz")[0] == 200
    assert address.request("/readyz")[0] == 200


def test_a_thread_beyond_every_deadline_makes_the_role_unhealthy(
    address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert address.share.acquire("board-1")
    while address.now < 3600:
        address.now += 10
        address.refresh(monkeypatch)
    assert address.request("/healthz")[0] == 503
    status, _, answer = address.request("/readyz")
    assert status == 503
    assert "board-1" in answer["reasons"][0]


def test_a_database_that_does_not_answer_is_no_reason_for_a_restart(address: Address) -> None:
    assert address.share.acquire("board-1")
    address.now = 3600.0
    assert address.request("/healthz")[0] == 200
    status, _, answer = address.request("/readyz")
    assert (status, answer["reasons"]) == (503, ["the database does not answer"])


def test_the_watchdog_ends_a_stuck_role(address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    service = ConnectorsService(Settings(), ConnectorSettings(), ENCODE)
    ended: list[BaseException] = []

    async def crash(reason: BaseException) -> None:
        ended.append(reason)

    async def sleep(_: float) -> None:
        return None

    monkeypatch.setattr(service, "crash", crash)
    monkeypatch.setattr(service, "sleep", sleep)
    monkeypatch.setattr(service.health, "stuck", lambda: "a thread is stuck")
    watch: Any = service._watch
    asyncio.run(watch.fun(service))
    assert [str(reason) for reason in ended] == ["a thread is stuck"]


def test_the_role_announces_where_it_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(READY_FILE_VARIABLE, str(tmp_path / "ready"))
    service: Any = ConnectorsService(Settings(), ConnectorSettings(host="0.0.0.0", port=0), ENCODE)
    service._server._server, service._server.port = SimpleNamespace(started=True), 4321

    async def nothing(_: object) -> None:
        return None

    looks = iter([None, "enough"])
    monkeypatch.setattr(service, "crash", nothing)
    monkeypatch.setattr(service, "sleep", nothing)
    monkeypatch.setattr(service.health, "stuck", lambda: next(looks))
    asyncio.run(service._watch.fun(service))
    assert announced_url(tmp_path / "ready") == "http://127.0.0.1:4321"


@pytest.mark.parametrize(
    ("client", "forwarded", "status"),
    [("127.0.0.1", (), 200), ("8.8.8.8", (), 404), ("127.0.0.1", ((b"x-forwarded-for", b"8.8.8.8"),), 404)],
)
def test_metrics_are_for_this_network(
    address: Address, client: str, forwarded: tuple[tuple[bytes, bytes], ...], status: int
) -> None:
    note_isolated("connectors.event_isolated")
    with TestClient(address.app, client=(client, 1)) as http:
        answer = http.get("/metrics", headers=list(forwarded))
    assert answer.status_code == status
    assert ("interactions_isolated_total" in answer.text) == (status == 200)
