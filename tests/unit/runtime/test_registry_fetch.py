"""Schemas are fetched within one deadline, and odd answers of the registry count as an outage."""

from __future__ import annotations

import pytest

from runtime.registry_fetch import make_fetch
from runtime.settings import Settings
from schemas.errors import Reject, Retry
from tests.harness.hostile_server import Conversation, answering, hostile


def _answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (status, len(body)) + body


def test_a_registry_that_sends_a_byte_at_a_time_is_given_up_and_used_once_it_is_well() -> None:
    dripping = [True]

    def script(conversation: Conversation) -> None:
        conversation.request()
        if dripping:
            dripping.clear()
            conversation.say(b"HTTP/1.1 200 OK\r\n")
            conversation.drip(b"X-More: 1\r\n")
        conversation.say(_answer(b'{"schema": "{}"}'))

    with hostile(script) as server:
        fetch = make_fetch(Settings(schema_registry_url=server.url), seconds=1.5)
        with pytest.raises(Retry, match="did not return"):
            fetch(1)
        assert fetch(1) == "{}"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"null", b"[]", b"7", b"{}", b'{"schema": null}', b"[" * 50_000, b"\xff"],
    ids=range(9),
)
def test_what_is_no_schema_is_a_retry_or_a_rejection(body: bytes) -> None:
    with hostile(answering(_answer(body))) as server, pytest.raises((Retry, Reject)):
        make_fetch(Settings(schema_registry_url=server.url))(1)


@pytest.mark.parametrize("status", [400, 404, 410, 422])
def test_an_id_that_the_registry_refuses_is_unknown(status: int) -> None:
    body = b'{"error_code": 40403, "message": "no"}'
    with hostile(answering(_answer(body, b"%d x" % status))) as server:
        assert make_fetch(Settings(schema_registry_url=server.url))(7) is None
