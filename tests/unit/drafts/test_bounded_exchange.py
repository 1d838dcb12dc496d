"""Bounded HTTP exchange."""

from __future__ import annotations

import gc
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from streams.bounded_exchange import (
    BoundedExchange,
    ClosedError,
    ExchangeError,
    ExchangeTimeoutError,
    ResponseTooLargeError,
)
from tests.harness.completions_server import CompletionsServer, respond
from tests.harness.hostile_server import Conversation, hostile

SENT = b'{"messages": []}'


@pytest.fixture
def exchange(service: CompletionsServer) -> Iterator[BoundedExchange]:
    made = BoundedExchange(f"{service.url}/path", {"X-Given": "yes"}, max_bytes=1_000)
    yield made
    made.close()


def test_a_response_is_returned_whatever_its_status(
    exchange: BoundedExchange, service: CompletionsServer
) -> None:
    for status in (200, 302, 404, 503):
        with service.answering(respond(status, {"X-Name": "Value", "location": service.url}, b"body")):
            answer = exchange.post(SENT, 10)
        assert (answer.status, answer.body, answer.headers["x-name"]) == (status, b"body", "Value")
    assert len(service.received) == 4, "redirects are not followed"
    request = service.received[0]
    assert request.path == "/path"
    assert request.headers["x-given"] == "yes"
    assert request.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(("size", "fits"), [(1_000, True), (1_001, False), (50_000_000, False)])
def test_the_size_of_a_response_is_bounded(
    exchange: BoundedExchange, service: CompletionsServer, size: int, fits: bool
) -> None:
    with service.answering(respond(200, body=b"x" * size)):
        if fits:
            assert len(exchange.post(SENT, 20).body) == size
        else:
            with pytest.raises(ResponseTooLargeError):
                exchange.post(SENT, 20)


def test_the_environment_has_no_proxy_for_it(
    exchange: BoundedExchange, service: CompletionsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with service.answering(respond(200)):
        assert exchange.post(SENT, 10).status == 200


@pytest.mark.timeout(30)
def test_a_slow_name_resolution_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = socket.create_server(("127.0.0.1", 0))

    def resolve(*_: Any, **__: Any) -> Any:
        silent.accept()  # until the socket is shut down
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    try:
        with pytest.raises(ExchangeTimeoutError):
            BoundedExchange("http://service.example", {}, 10).post(SENT, 0.2)
    finally:
        silent.shutdown(socket.SHUT_RDWR)
        silent.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid", "https://127.0.0.1:1/"])
def test_a_failed_connection_is_an_exchange_error(url: str) -> None:
    with pytest.raises(ExchangeError) as caught:
        BoundedExchange(url, {}, 10).post(SENT, 10)
    assert str(caught.value) == "ConnectError"


@pytest.mark.parametrize("url", ["http", "https"])
def test_a_connection_is_closed_at_the_deadline(url: str) -> None:
    left = threading.Event()

    def script(conversation: Conversation) -> None:
        while conversation.connection.recv(65536):
            pass  # a TLS server that never answers the client's hello
        left.set()

    with hostile(script) as server:
        with pytest.raises(ExchangeTimeoutError):
            BoundedExchange(server.url.replace("http", url), {}, 10).post(SENT, 0.3)
        assert left.wait(10)
        gc.collect()  # a connection that is still open would be reported here


def test_a_server_without_tls_is_an_exchange_error() -> None:
    with (
        hostile(lambda conversation: conversation.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as server,
        pytest.raises(ExchangeError, match="ConnectError"),
    ):
        BoundedExchange(server.url.replace("http", "https"), {}, 10).post(SENT, 10)


def test_a_closed_exchange_sends_nothing(exchange: BoundedExchange, service: CompletionsServer) -> None:
    exchange.close()
    with pytest.raises(ClosedError):
        exchange.post(SENT, 10)
    assert service.received == []
