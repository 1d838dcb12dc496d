"""Bounded HTTP requests: deadline, size, and the reason for a failure."""

from __future__ import annotations

import gzip
import socket
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Final

import httpx2
import pytest

from connectors.sdk import bounded_transport
from connectors.sdk.bounded_transport import Deadline
from connectors.sdk.http_errors import LONGEST_PAUSE, check_status, retry_after, send_request
from connectors.service.http_client import make_client
from connectors.service.rate_limit import SlidingWindowLimiter
from schemas.errors import NeedsAuth, Retry
from tests.harness.hostile_server import Conversation, Script, answering, hostile

_HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"


def _drip_status(conversation: Conversation) -> None:
    conversation.request()
    conversation.drip(b"HTTP/1.1 200 OK\r\nX: ")


def _drip_headers(conversation: Conversation) -> None:
    conversation.request()
    conversation.say(b"HTTP/1.1 200 OK\r\n")
    conversation.drip(b"X-More: 1\r\n")


def _drip_body(conversation: Conversation) -> None:
    conversation.request()
    conversation.say(_HEAD)
    conversation.drip(b"x")


def _drip_chunks(conversation: Conversation) -> None:
    conversation.request()
    conversation.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    conversation.drip(b"1\r\nx\r\n")


def _never_done(conversation: Conversation) -> None:
    conversation.request()
    while not conversation.closing.wait(0.01):
        conversation.say(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")


def _silent(conversation: Conversation) -> None:
    conversation.hold()


def _takes_little(conversation: Conversation) -> None:
    conversation.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    while not conversation.closing.wait(0.02):
        conversation.connection.recv(64)


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    """The engine's client, with a deadline of half a second per request."""
    with make_client(SlidingWindowLimiter(()), public_addresses_only=False, deadline=Deadline(0.5)) as made:
        yield made


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "script", [_drip_status, _drip_headers, _drip_body, _drip_chunks, _never_done, _silent, _takes_little]
)
def test_a_server_that_keeps_an_exchange_going_is_left(client: httpx2.Client, script: Script) -> None:
    """Each server transfers something often enough to stay within every per-operation timeout."""
    with hostile(script) as server, pytest.raises(Retry, match=r"within 0\.5 s|in time") as caught:
        send_request("The server", lambda: client.put(server.url, content=b"x" * 30_000_000))
    assert f"127.0.0.1:{server.port}" in str(caught.value)


def test_bounded_transports_of_one_turn_share_its_time() -> None:
    deadline = Deadline(3600)
    limiter = SlidingWindowLimiter(())
    with (
        make_client(limiter, public_addresses_only=False, deadline=deadline) as client,
        hostile(_drip_body) as server,
    ):
        with deadline.turn(0.3):
            for _ in range(3):  # the second and third have no time left
                with pytest.raises(Retry):
                    send_request("The server", lambda: client.get(server.url))
        assert deadline.begin() > 0
        assert deadline.left() > 1000, "the next turn has time again"


def test_cookies_are_not_sent_back(client: httpx2.Client) -> None:
    seen: list[bytes] = []

    def script(conversation: Conversation) -> None:
        while head := conversation.request():
            seen.append(head.lower())
            cookie = b"Set-Cookie: c%d=%s\r\n" % (len(seen), b"x" * 2000)
            conversation.say(b"HTTP/1.1 200 OK\r\n" + cookie + b"Content-Length: 0\r\n\r\n")

    with hostile(script) as server:
        for _ in range(3):
            client.get(server.url)
    assert len(seen) == 3
    assert not [head for head in seen if b"cookie" in head]


def test_an_answer_to_a_condition_that_was_not_made_is_no_redirect(client: httpx2.Client) -> None:
    with hostile(answering(b"HTTP/1.1 304 Not Modified\r\n\r\n")) as server:
        answer = client.get(server.url)
        with pytest.raises(Retry, match="answered HTTP 304"):
            check_status("The server", answer)


def test_connections_are_kept_in_use(client: httpx2.Client) -> None:
    seen: list[bytes] = []

    def script(conversation: Conversation) -> None:
        while head := conversation.request():
            seen.append(head)
            conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with hostile(script) as server:
        ports = set()
        for _ in range(3):
            answer = client.get(server.url)
            assert answer.text == "ok"
            ports.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
    assert len(seen) == 3
    assert len(ports) == 1
    assert all(b"accept-encoding: identity" in head.lower() for head in seen)


def test_an_answer_without_end_is_not_read_to_its_end(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_transport, "MAX_BODY_BYTES", 2**20)

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.say(b"HTTP/1.1 200 OK\r\n\r\n")
        while not conversation.closing.is_set():
            conversation.say(b"x" * 65536)

    with hostile(script) as server, pytest.raises(Retry, match="more than 1 MiB"):
        send_request("The server", lambda: client.get(server.url))


def _packed(body: bytes, coding: str) -> Script:
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return answering(head.encode() + body)


def test_a_small_answer_that_unpacks_to_a_large_one_is_refused(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_transport, "MAX_BODY_BYTES", 2**20)
    with (
        hostile(_packed(gzip.compress(b"0" * 2**24, mtime=0), "gzip")) as server,
        pytest.raises(Retry, match="more than 1 MiB"),
    ):
        send_request("The server", lambda: client.get(server.url))


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"not gzip", "gzip"),
        (gzip.compress(b"ok", mtime=0)[:-4] + b"____", "gzip"),
        (b"not zlib", "deflate"),
        (gzip.compress(gzip.compress(b"ok", mtime=0), mtime=0), "gzip, gzip"),
    ],
    ids=["not-gzip", "cut-off", "not-deflate", "packed-twice"],
)
def test_a_broken_content_encoding_is_a_failure_of_the_server(
    client: httpx2.Client, body: bytes, coding: str
) -> None:
    """Not a bug on our side: the item is retried, with the reason."""
    with hostile(_packed(body, coding)) as server, pytest.raises(Retry, match="Content-Encoding"):
        send_request("The server", lambda: client.get(server.url))


def test_an_answer_that_is_packed_unasked_is_unpacked(client: httpx2.Client) -> None:
    with hostile(_packed(zlib.compress(b"ok"), "deflate")) as server:
        answer = client.get(server.url)
    assert answer.text == "ok"
    assert answer.extensions[bounded_transport.SENT_ENCODING] == "deflate"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nX" + b"x" * 200_000, "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx", "not HTTP|did not answer"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "not HTTP"),
        (b"", "not HTTP|did not answer"),
    ],
)
def test_what_is_no_answer_is_tried_again(client: httpx2.Client, answer: bytes, reason: str) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.say(answer)

    with hostile(script) as server, pytest.raises(Retry, match=reason):
        send_request("The server", lambda: client.get(server.url))


def test_each_way_of_not_connecting_has_its_own_reason(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reason(url: str) -> str:
        with pytest.raises(Retry) as caught:
            send_request("The server", lambda: client.get(url))
        return str(caught.value)

    with socket.create_server(("127.0.0.1", 0)) as free:
        closed = free.getsockname()[1]
    assert "nothing listens" in reason(f"http://127.0.0.1:{closed}/")

    def without_tls(conversation: Conversation) -> None:
        conversation.connection.recv(65536)
        conversation.say(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with hostile(without_tls) as server:
        assert "does not speak TLS" in reason(f"https://127.0.0.1:{server.port}/")

    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert "host name is unknown" in reason("http://nowhere.invalid/")


NOW: Final = datetime(2026, 3, 1, 9, tzinfo=UTC)


def _http(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("3600", 3600),
        ("3601", LONGEST_PAUSE),
        ("2147483647", LONGEST_PAUSE),
        ("9999999999999", LONGEST_PAUSE),
        ("9" * 5000, LONGEST_PAUSE),
        ("0" * 400 + "9", 9),
        (_http(NOW + timedelta(seconds=90)), 90),
        (_http(NOW - timedelta(days=1)), 0),
        (_http(NOW + timedelta(days=9000)), LONGEST_PAUSE),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 -2400", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_PAUSE),
        ("Fri, 99 Dec 2026 23:59:59 GMT", None),
        ("-1", None),
        ("1.5", None),
        ("1e9", None),
        ("٣", None),
        ("5, 10", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_read_in_both_forms(given: str, seconds: float | None) -> None:
    """A date is relative to the response's own Date, because clocks may differ."""
    headers = [(b"retry-after", given.encode()), (b"date", _http(NOW).encode())]
    answer = httpx2.Response(503, headers=headers)
    found = retry_after(answer)
    assert found is None if seconds is None and found is None else found == seconds
    with pytest.raises(Retry) as caught:
        check_status("The server", answer)
    assert caught.value.after == found
    assert (datetime.now(UTC) + timedelta(seconds=caught.value.after or 0)).year < 2100


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        (401, NeedsAuth, "refuses the credentials (HTTP 401)"),
        (403, NeedsAuth, "denies access (HTTP 403)"),
        (429, Retry, "rate limit (HTTP 429)"),
        (503, Retry, "answered HTTP 503"),
        (302, Retry, "redirects to https://elsewhere.example (HTTP 302)"),
    ],
)
def test_reasons_name_status_and_host(status: int, kind: type[Exception], text: str) -> None:
    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(status, headers={"location": "https://elsewhere.example/?secret=1"})

    with httpx2.Client(transport=httpx2.MockTransport(answer)) as client, pytest.raises(kind) as caught:
        check_status("The server", client.get("https://dav.example:8443/"))
    assert str(caught.value).startswith("The server at dav.example:8443 ")
    assert text in str(caught.value)
    assert "secret" not in str(caught.value)
