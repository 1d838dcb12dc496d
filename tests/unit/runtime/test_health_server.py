"""Responses of a role to health probes."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import httpx2
import pytest

from runtime.health import Health, Stall
from runtime.health_server import HealthServer
from runtime.settings import Settings
from schemas.errors import Stop


class _Role:
    def __init__(self) -> None:
        self.health, self.dead = Health(), list[str]()
        self.stop = threading.Event()
        self.server = HealthServer(
            Settings(), "applier", self.health, lambda: next(iter(self.dead), None), self.stop
        )
        self.client = httpx2.Client(base_url=self.server.url, trust_env=False)


@pytest.fixture
def role() -> Iterator[_Role]:
    found = _Role()
    thread = threading.Thread(target=found.server.serve)
    thread.start()
    yield found
    found.client.close()
    found.stop.set()
    thread.join(10)


def test_a_role_that_works_is_alive_and_ready(role: _Role) -> None:
    assert role.client.get("/healthz").json() == {"status": "ok"}
    ready = role.client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert 'interactions_ready{role="applier"} 1.0' in role.client.get("/metrics").text


def test_a_stall_makes_it_unready_and_says_where(role: _Role) -> None:
    stall = Stall("applied", "partition 3, offset 7", 61.0, "The command at offset 7 is not applied.")
    role.health.report("liveness", [stall])
    ready = role.client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["reasons"] == [stall.reason]
    assert ready.json()["stalls"][0]["place"] == stall.place
    assert role.client.get("/healthz").status_code == 200
    assert f'stage="applied"}} {stall.seconds}' in role.client.get("/metrics").text


def test_a_dead_role_says_so(role: _Role) -> None:
    role.dead.append("It ends: fenced")
    answer = role.client.get("/healthz")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["It ends: fenced"])


def test_an_unknown_address(role: _Role) -> None:
    assert role.client.get("/").status_code == 404


def test_a_port_that_is_taken_is_named(role: _Role) -> None:
    port = int(role.server.url.rpartition(":")[2])
    with pytest.raises(Stop, match="INTERACTIONS_HEALTH_PORT"):
        HealthServer(Settings(health_port=port), "relay", Health(), lambda: None, threading.Event())
