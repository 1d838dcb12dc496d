"""Rate limits, circuit breaker, retry pauses, and the SSRF check."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from connectors.sdk.addresses import public_addresses
from connectors.sdk.declaration import RateLimit
from connectors.sdk.http_errors import Throttled, send_request
from connectors.service.http_client import make_client
from connectors.service.rate_limit import SlidingWindowLimiter
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.context import safe_url
from connectors.sync.failure_policy import pause_before
from schemas.errors import Reject, Retry


class Clock:
    def __init__(self) -> None:
        self.time = 0.0

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.time)


def test_no_window_ever_holds_more_than_its_limit() -> None:
    clock = Clock()
    limits = (RateLimit(requests=10, seconds=1), RateLimit(requests=25, seconds=10))
    limiter = SlidingWindowLimiter(limits, clock=clock, sleep=clock.sleep)
    taken = []
    for _ in range(60):
        assert limiter.acquire(60)
        taken.append(clock.time)
    for limit in limits:
        for at in taken:
            assert sum(at <= other < at + limit.seconds for other in taken) <= limit.requests
    assert taken[-1] <= 30, "no slower than necessary"


def test_a_turn_that_would_take_too_long_is_not_waited_for() -> None:
    clock = Clock()
    limiter = SlidingWindowLimiter((RateLimit(requests=1, seconds=100),), clock=clock, sleep=clock.sleep)
    assert limiter.acquire(1)
    assert not limiter.acquire(1)
    assert clock.time == 0


def test_the_breaker_opens_tests_and_closes() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock.now)
    for _ in range(4):
        breaker.record_failure()
    assert breaker.admit(10) == 10
    breaker.record_failure()
    assert breaker.admit(10) == 0
    clock.time += 6
    assert breaker.admit(10) == 1, "one probe is admitted"
    assert breaker.admit(10) == 0, "and no second probe meanwhile"
    breaker.record_failure()
    clock.time += 6
    assert breaker.admit(10) == 0, "the next pause is longer"
    clock.time += 6
    assert breaker.admit(10) == 1
    breaker.record_success()
    assert breaker.admit(10) == 10


def test_tries_that_fail_together_are_one_failure_of_an_open_breaker() -> None:
    """Failures of several threads must not turn a short outage into a long pause."""
    clock = Clock()
    breaker = CircuitBreaker(clock.now)
    for _ in range(9):
        breaker.record_failure()
    clock.time += 6
    assert breaker.admit(10) == 1, "still the first pause, although four failed after it opened"


def test_a_test_of_the_water_that_found_no_work_is_given_to_the_next() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock.now)
    for _ in range(5):
        breaker.record_failure()
    clock.time += 6
    assert breaker.admit(10) == 1
    breaker.release()
    assert breaker.admit(10) == 1
    assert breaker.open


def test_room_is_asked_for_before_work_is_begun() -> None:
    clock = Clock()
    limits = (RateLimit(requests=2, seconds=1), RateLimit(requests=5, seconds=10))
    limiter = SlidingWindowLimiter(limits, clock=clock, sleep=clock.sleep)
    assert limiter.has_capacity(2)
    assert limiter.has_capacity(3), "each limit counts at most its own maximum"
    assert limiter.acquire(0)
    assert limiter.has_capacity(1)
    assert not limiter.has_capacity(2)
    clock.time += 1
    assert limiter.has_capacity(3)
    for _ in range(3):
        assert limiter.acquire(2)
    clock.time += 1
    assert limiter.has_capacity(1)
    assert not limiter.has_capacity(2), "the longer window admits only one more"


def test_pauses_grow_and_are_spread_over_all_of_their_length() -> None:
    chance = random.Random(4)
    pauses = [pause_before(5, None, chance).total_seconds() for _ in range(500)]
    assert max(pauses) <= 32
    assert min(pauses) < 2, "full jitter"
    assert max(pauses) > 30
    assert pause_before(50, None, chance).total_seconds() <= 600
    assert pause_before(0, 10.0, chance).total_seconds() >= 10


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "localhost", "0.0.0.0", "::ffff:10.0.0.1"]
)
def test_private_addresses_are_refused(host: str) -> None:
    with pytest.raises(Reject, match="private address"):
        public_addresses(host, 443)


def test_the_checked_address_is_the_one_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [[(0, 0, 0, "", ("93.184.216.34", 443))]]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answers.pop())
    seen: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return httpx2.Response(302, headers={"location": "https://127.0.0.1/"})

    limiter = SlidingWindowLimiter(())
    with make_client(limiter, public_addresses_only=True, transport=httpx2.MockTransport(answer)) as client:
        assert client.get("https://hooks.example/x").status_code == 302, "redirects are not followed"
        assert seen[0].url.host == "93.184.216.34"
        assert seen[0].headers["host"] == "hooks.example"
        assert seen[0].extensions["sni_hostname"] == "hooks.example"
        with pytest.raises(Reject, match="https"):
            client.get("http://hooks.example/x")


def test_a_request_without_a_turn_is_put_off() -> None:
    clock = Clock()
    limiter = SlidingWindowLimiter((RateLimit(requests=1, seconds=100),), clock=clock, sleep=clock.sleep)
    ok = httpx2.MockTransport(lambda _: httpx2.Response(200))
    with make_client(limiter, public_addresses_only=False, transport=ok) as client:
        assert client.get("https://api.example/").status_code == 200
        with pytest.raises(Throttled):
            client.get("https://api.example/")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://trello.com/c/abc", "https://trello.com/c/abc"),
        ('https://www.trello.com/c/a b"<x>', "https://www.trello.com/c/a%20b%22%3Cx%3E"),
        ("http://trello.com/c/abc", None),
        ("https://eviltrello.com/c", None),
        ("https://trello.com.evil.example/c", None),
        ("https://user@trello.com/", None),
        ("https://trello.com:8443/", None),
        ("javascript:alert(1)", None),
        (None, None),
    ],
)
def test_only_safe_addresses_are_shown(url: str | None, shown: str | None) -> None:
    assert safe_url(url, ("trello.com",)) == shown


@pytest.mark.parametrize("error", [httpx2.ConnectError, httpx2.ConnectTimeout])
def test_the_next_address_is_tried_if_one_accepts_no_connection(
    monkeypatch: pytest.MonkeyPatch, error: type[httpx2.TransportError]
) -> None:
    addresses = ["93.184.216.34", "2606:2800:21f::1", "93.184.216.35"]
    entries = [(0, 0, 0, "", (address, 443)) for address in addresses]
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: entries)
    seen: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        seen.append(request.url.host)
        if len(seen) < 3:
            raise error("no route", request=request)
        return httpx2.Response(200)

    transport = httpx2.MockTransport(answer)
    with make_client(SlidingWindowLimiter(()), public_addresses_only=True, transport=transport) as client:
        assert client.post("https://hooks.example/x", content=b"{}").status_code == 200
        assert seen == addresses
        seen.clear()
        monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: entries[:1])
        with pytest.raises(Retry):
            send_request("The webhook", lambda: client.post("https://hooks.example/x"))


def test_a_client_that_was_closed_meanwhile_is_no_defect() -> None:
    client = make_client(SlidingWindowLimiter(()), public_addresses_only=False)
    client.close()
    with pytest.raises(Retry, match="settings have just changed"):
        send_request("Trello", lambda: client.get("https://trello.example/"))
