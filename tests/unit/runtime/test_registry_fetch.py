"""A registry that answers badly about one schema costs its records a bounded time."""

from __future__ import annotations

import time

import pytest

from runtime import registry_fetch
from runtime.registry_fetch import make_fetch
from runtime.settings import Settings
from schemas.errors import Retry
from tests.harness.hostile_server import Conversation, hostile


def _answer(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_an_id_that_the_registry_refuses_is_unknown(status: int) -> None:
    def script(it: Conversation) -> None:
        while it.request():
            it.say(_answer(status, b'{"error_code": 40403, "message": "no"}'))

    with hostile(script) as server:
        assert make_fetch(Settings(schema_registry_url=server.url))(7) is None


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b"{}", b'{"schema": 5}'])
def test_an_answer_that_is_no_schema_is_an_outage(body: bytes) -> None:
    def script(it: Conversation) -> None:
        while it.request():
            it.say(_answer(200, body))

    with hostile(script) as server, pytest.raises(Retry):
        make_fetch(Settings(schema_registry_url=server.url))(7)


def test_a_registry_that_drips_bytes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_fetch, "_SECONDS", 0.3)

    def script(it: Conversation) -> None:
        it.request()
        it.say(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        it.drip(b" ")

    with hostile(script) as server:
        fetch = make_fetch(Settings(schema_registry_url=server.url))
        for _ in range(2):
            began = time.monotonic()
            with pytest.raises(Retry):
                fetch(7)
            assert time.monotonic() - began < 5
