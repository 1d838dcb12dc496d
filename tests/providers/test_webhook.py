"""Outgoing webhooks: conformance, the Standard Webhooks form, and misbehaving endpoints."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import random
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx2
import pytest
from pydantic import SecretStr, ValidationError

from connectors.providers.webhook import DECLARATION, WebhookSettings
from connectors.sdk.conformance import FULL, ProviderConformance, ProviderHarness
from connectors.sdk.declaration import RateLimit
from connectors.sdk.digest import Digest, DigestItem, DigestOwner
from connectors.sdk.provider import Provider
from connectors.sdk.remote import Intent, RemoteObject
from connectors.service.http_client import make_client
from connectors.service.rate_limit import SlidingWindowLimiter
from connectors.sync.failure_policy import pause_before
from schemas.errors import Reject, Retry, Stop
from tests.harness.hostile_server import Conversation, hostile
from tests.providers.asgi_thread import Switch, served
from tests.providers.linked import LossyTransport, context
from tests.providers.webhook_receiver import SECRET, Received, ToLoopback, WebhookReceiver

INTENT: Final = Intent(interaction_id="i-1", marker="m-1", values=FULL)


class WebhookHarness(ProviderHarness):
    """The provider in front of a receiver."""

    def __init__(self, receiver: WebhookReceiver, address: str) -> None:
        self.receiver = receiver
        self.inner = ToLoopback(address)
        self.transport = LossyTransport(self.inner)
        self.settings = WebhookSettings(url="https://hooks.example/in", secret=SecretStr(SECRET))
        self.declaration = DECLARATION
        self.context = context(self.transport)
        self.provider = DECLARATION.make(self.settings, self.context)

    def object_count(self) -> int:
        created = [each for each in self.receiver.received if each.event["type"].endswith(".created")]
        return len({each.id for each in created})

    def outage(self) -> AbstractContextManager[None]:
        return self.transport.outage()

    def lost_responses(self) -> AbstractContextManager[None]:
        return self.transport.unanswered()

    @contextlib.contextmanager
    def revoked_credentials(self) -> Iterator[None]:
        self.receiver.status = 401
        yield
        self.receiver.status = 204


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Switch, str]]:
    switch = Switch()
    with served(switch) as address:
        yield switch, address


@pytest.fixture
def harness(server: tuple[Switch, str]) -> Iterator[WebhookHarness]:
    switch, address = server
    receiver = WebhookReceiver()
    switch.app = receiver.app()
    made = WebhookHarness(receiver, address)
    yield made
    made.context.http.close()


class TestConformance(ProviderConformance):
    """The conformance suite, as for every provider."""


def test_the_event_says_what_happened(harness: WebhookHarness) -> None:
    made = harness.provider.create(INTENT)
    harness.provider.update("i-1", {"status": "done", "title": None}, made)
    created, updated = harness.receiver.received
    assert created.event["type"] == "customers.interaction.created"
    assert created.event["data"]["scheduledAt"] == "2031-03-05T09:30:15.123456Z"
    assert updated.event["type"] == "customers.interaction.updated"
    data = updated.event["data"]
    assert data["changedFields"] == ["status", "title"]
    assert (data["id"], data["status"], data["title"], data["body"]) == ("i-1", "done", None, FULL["body"])
    assert updated.event["timestamp"].endswith("Z")


def test_a_retry_has_the_same_id_and_a_later_equal_change_another(harness: WebhookHarness) -> None:
    made = harness.provider.create(INTENT)
    sent = []
    for status in ("done", "planned", "done", "planned"):
        change = {"status": status}
        with harness.lost_responses(), pytest.raises(Retry):
            harness.provider.update("i-1", change, made)
        made = _object(harness.provider.update("i-1", change, made))
        lost, repeated = harness.receiver.received[-2:]
        assert lost.id == repeated.id
        sent.append(repeated.id)
    assert len(set(sent)) == 4


def test_ids_of_two_integrations_differ(harness: WebhookHarness) -> None:
    harness.provider.create(INTENT)
    other = DECLARATION.make(
        harness.settings, dataclasses.replace(harness.context, integration_id="integration-2")
    )
    other.create(INTENT)
    first, second = harness.receiver.received
    assert first.id != second.id


def test_both_secrets_sign_while_receivers_change_over(harness: WebhookHarness) -> None:
    new = f"whsec_{base64.b64encode(b'n' * 32).decode()}"
    settings = harness.settings.model_copy(
        update={"secret": SecretStr(new), "previous_secret": SecretStr(SECRET)}
    )
    DECLARATION.make(settings, harness.context).create(INTENT)
    (told,) = harness.receiver.received  # verified with the previous secret
    assert len(told.signature.split()) == 2


def test_a_wrong_secret_is_not_believed(harness: WebhookHarness) -> None:
    settings = harness.settings.model_copy(update={"secret": SecretStr(f"whsec_{'A' * 43}=")})
    with pytest.raises(Retry):
        DECLARATION.make(settings, harness.context).create(INTENT)
    assert harness.receiver.received == []


def test_a_gone_receiver_ends_the_integration(harness: WebhookHarness) -> None:
    harness.receiver.status = 410
    with pytest.raises(Stop):
        harness.provider.create(INTENT)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 404, 422, 500, 503])
def test_any_other_failure_is_tried_again_and_no_redirect_is_followed(
    harness: WebhookHarness, status: int
) -> None:
    harness.receiver.status, harness.receiver.headers = status, {"location": "https://elsewhere.example/"}
    with pytest.raises(Retry):
        harness.provider.create(INTENT)
    assert len(harness.receiver.received) == 1


def test_too_many_failures_in_a_row_end_the_integration(harness: WebhookHarness) -> None:
    settings = harness.settings.model_copy(update={"disable_after": 3})
    provider = DECLARATION.make(settings, harness.context)
    for _ in range(2):  # a success between two failures resets the count
        for status in (500, 500, 204):
            harness.receiver.status = status
            with contextlib.suppress(Retry):
                provider.create(INTENT)
    harness.receiver.status = 500
    for _ in range(2):
        with pytest.raises(Retry):
            provider.create(INTENT)
    with pytest.raises(Stop, match="3 deliveries failed in a row"):
        provider.create(INTENT)


def test_the_schedule_is_the_specifications_and_obeyed() -> None:
    declared = DECLARATION.retry_seconds
    assert declared == (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
    chance = random.Random(1)
    for attempts, seconds in enumerate(declared):
        pause = pause_before(attempts, None, chance, declared).total_seconds()
        assert seconds <= pause <= seconds * 1.1
    assert pause_before(0, 60, chance, declared).total_seconds() == 60


def test_a_rate_limit_says_how_long(harness: WebhookHarness) -> None:
    harness.receiver.status, harness.receiver.headers = 429, {"retry-after": "7"}
    with pytest.raises(Retry) as caught:
        harness.provider.create(INTENT)
    assert caught.value.after == 7


def test_a_long_text_is_left_out_and_named(harness: WebhookHarness) -> None:
    made = harness.provider.create(INTENT)
    harness.provider.update("i-1", {"body": "🙂" * 10_000}, made)
    told: Received = harness.receiver.received[-1]
    assert told.size < 20_000
    assert told.event["data"]["body"] is None
    assert told.event["data"]["omittedFields"] == ["body"]
    assert told.event["data"]["title"] == FULL["title"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"url": "http://hooks.example/"}, "https"),
        ({"url": "https://user:pass@hooks.example/"}, "credentials"),
        ({"url": "https:///nowhere"}, "https"),
        ({"secret": "whsec_c2hvcnQ="}, "24 to 64"),
        ({"secret": "whsec_%%%"}, "24 to 64"),
    ],
)
def test_settings_that_would_not_be_safe_are_refused(settings: Mapping[str, str], problem: str) -> None:
    given = {"url": "https://hooks.example/", "secret": SECRET, **settings}
    with pytest.raises(ValidationError, match=problem):
        WebhookSettings.model_validate(given)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::5db8:d70e",
        "::127.0.0.1",
    ],
)
def test_a_name_that_leads_inside_is_refused(
    harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    _resolve(monkeypatch, "93.184.215.14", address)
    with _guarded(harness) as provider, pytest.raises(Reject, match="private"):
        provider.create(INTENT)
    assert harness.inner.hosts == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "2130706433", "0x7f.1"])
def test_an_address_that_leads_inside_is_refused(harness: WebhookHarness, host: str) -> None:
    with _guarded(harness, f"https://{host}/in") as provider, pytest.raises((Reject, Retry)):
        provider.create(INTENT)
    assert harness.inner.hosts == []


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f::1", "64:ff9b::5db8:d70e"])
def test_the_address_that_was_checked_is_the_one_connected_to(
    harness: WebhookHarness, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    _resolve(monkeypatch, address)
    with _guarded(harness) as provider:
        provider.create(INTENT)
    assert harness.inner.hosts == [address]
    assert len(harness.receiver.received) == 1


@contextlib.contextmanager
def _guarded(harness: WebhookHarness, url: str = "https://hooks.example/in") -> Iterator[Provider]:
    """The provider with the engine's own client, including its address guard, on the test network."""
    buckets = SlidingWindowLimiter((RateLimit(requests=100, seconds=1),))
    client = make_client(
        buckets, public_addresses_only=DECLARATION.public_addresses_only, transport=harness.inner
    )
    settings = harness.settings.model_copy(update={"url": url})
    with client:
        yield DECLARATION.make(settings, dataclasses.replace(harness.context, http=client))


def _resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Resolve every name except the test server's to these addresses."""
    real = socket.getaddrinfo

    def resolved(host: Any, port: Any, *args: Any, **options: Any) -> Any:
        if host != "hooks.example":
            return real(host, port, *args, **options)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", resolved)


def _object(answer: object) -> RemoteObject:
    assert isinstance(answer, RemoteObject)
    return answer


def test_the_receiver_gets_no_second_request_by_itself(harness: WebhookHarness) -> None:
    harness.receiver.status = 500
    with pytest.raises(Retry):
        harness.provider.create(INTENT)
    assert [request.method for request in harness.transport.sent] == ["POST"]
    assert isinstance(harness.transport.sent[0], httpx2.Request)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000,
    ],
)
def test_an_accepted_delivery_is_accepted_whatever_its_body(harness: WebhookHarness, answer: bytes) -> None:
    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.say(answer)

    with (
        hostile(script) as server,
        make_client(
            SlidingWindowLimiter(()), public_addresses_only=False, transport=ToLoopback(server.url)
        ) as client,
    ):
        provider = DECLARATION.make(harness.settings, dataclasses.replace(harness.context, http=client))
        assert provider.create(INTENT).version is not None


def _digest(owners: int, items: int, title: str) -> Digest:
    """A digest with as many items per owner as the engine reads at most."""
    moment = datetime(2026, 6, 9, 7, tzinfo=UTC)
    item = DigestItem(
        interaction_id="i" * 36,
        entity_id="e" * 36,
        interaction_type="call",
        title=title,
        scheduled_at=moment,
        overdue=True,
    )
    each = [
        DigestOwner(owner_user_id=f"{number:036}", overdue=items, today=0, items=[item] * items)
        for number in range(owners)
    ]
    return Digest(
        date=moment.date(),
        zone="Europe/Berlin",
        overdue=owners * items,
        today=0,
        owners=each,
        owner_count=owners,
    )


def test_a_digest_has_one_id_per_date(harness: WebhookHarness) -> None:
    digest = _digest(1, 1, "Call")
    harness.provider.send_digest(digest)
    harness.provider.send_digest(dataclasses.replace(digest, overdue=0, owners=[]))
    harness.provider.send_digest(dataclasses.replace(digest, date=digest.date + timedelta(days=1)))
    first, repeated, next_day = harness.receiver.received
    assert first.id == repeated.id != next_day.id
    assert first.event["type"] == "customers.interaction.digest"
    assert first.event["data"]["owners"][0]["items"][0]["title"] == "Call"


@pytest.mark.parametrize(
    ("owners", "items", "title"), [(200, 20, "ü" * 500), (200, 0, ""), (3, 20, "x" * 500), (0, 0, "")]
)
def test_a_digest_fits_and_its_counts_are_those_of_all(
    harness: WebhookHarness, owners: int, items: int, title: str
) -> None:
    harness.provider.send_digest(_digest(owners, items, title))
    (told,) = harness.receiver.received
    assert told.size <= 20_000
    data = told.event["data"]
    assert (data["overdue"], data["ownerCount"]) == (owners * items, owners)
    assert bool(data["owners"]) == bool(owners)
    assert "omittedFields" not in data


@pytest.mark.parametrize("wrong", [{"digest_hour": 24}, {"digest_hour": -1}, {"digest_zone": "Berlin"}])
def test_a_digest_needs_an_hour_and_a_zone_that_exist(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WebhookSettings(url="https://hooks.example/in", secret=SecretStr(SECRET), **wrong)
