"""The daily digest of an outgoing webhook: a real receiver, real rows, and processes that are killed."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from connectors.providers.webhook import DECLARATION, WebhookSettings
from connectors.sdk.provider import ProviderContext
from connectors.service.maintenance import run_maintenance
from connectors.service.open_session import OpenedSession, utc_now
from connectors.service.registry import Entry
from connectors.store.integrations import insert_integration
from connectors.store.removal import remove_integration
from connectors.sync import digest as delivery
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.digest import send_due_digest
from connectors.sync.policy import Policy
from connectors.sync.session import Session
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.errors import Retry
from sinks.jobs.schedules import list_schedules
from tests.harness.integrations import an_integration
from tests.harness.wire import ORGANIZATION, TENANT, new_id
from tests.providers.asgi_thread import Switch, served
from tests.providers.webhook_receiver import SECRET, Received, ToLoopback, WebhookReceiver
from tests.stack_fixtures import own_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

_INTEGRATION = an_integration("webhook-1", TENANT, ORGANIZATION, provider="webhook")
#: 08:30 in Berlin, on a Tuesday.
_MORNING = datetime(2026, 6, 9, 6, 30, tzinfo=UTC)
_POINT = "connector-after-digest-before-note"
_SPAWN = multiprocessing.get_context("spawn")


@dataclass
class Clock:
    """The time of a session."""

    now: datetime = _MORNING

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Desk:
    """An integration whose digest is due at eight in Berlin."""

    settings: Settings
    connection: Connection
    receiver: WebhookReceiver
    address: str
    http: httpx2.Client
    clock: Clock = field(default_factory=Clock)

    def session(self, hour: int = 8, zone: str = "Europe/Berlin", **policy: Any) -> Session:
        return a_session(self.http, self.clock, hour, zone, Policy(**policy))

    def send(self, session: Session | None = None) -> bool:
        return send_due_digest(session or self.session(), self.connection)

    @property
    def digests(self) -> list[Received]:
        found = [each for each in self.receiver.received if "digest" in each.event["type"]]
        assert len(found) == len(self.receiver.received)
        return found

    def plan(self, at: datetime | None, owner: str | None = None, **values: Any) -> str:
        """A planned call; return its id."""
        row: dict[str, Any] = {
            "id": new_id(),
            "tenant_id": TENANT,
            "organization_id": ORGANIZATION,
            "entity_id": _customer(self.connection, values.get("tenant_id", TENANT)),
            "interaction_type": "call",
            "status": "planned",
            "title": "Call",
            "scheduled_at": at,
            "owner_user_id": owner,
            **values,
        }
        self.connection.execute(
            f"INSERT INTO customer_interactions ({', '.join(row)}, version, schedule_version, due_phase,"
            " status_as_of, scheduled_as_of, occurred_as_of, created_at, updated_at)"
            f" VALUES ({', '.join(['%s'] * len(row))}, 1, 1, 0, now(), now(), now(), now(), now())",
            tuple(row.values()),
        )
        return str(row["id"])


def a_session(
    http: httpx2.Client, now: Callable[[], datetime], hour: int, zone: str, policy: Policy
) -> Session:
    """A session of the webhook, whose requests reach the receiver, with signatures of the real time."""
    chosen = WebhookSettings(
        url="https://hooks.example/in", secret=SecretStr(SECRET), digest_hour=hour, digest_zone=zone
    )
    context = ProviderContext(
        integration_id=_INTEGRATION.id,
        http=http,
        now=utc_now,
        callback_url=None,
        save_secrets=lambda **_: None,
    )
    return Session(
        integration=_INTEGRATION,
        declaration=DECLARATION,
        provider=DECLARATION.make(chosen, context),
        policy=policy,
        send=lambda *_: None,
        now=now,
        digest=DECLARATION.digest(chosen),
    )


def deliver(settings: Settings, address: str, crash_point: str | None) -> None:
    """Deliver in a process of its own, which the crash point kills."""
    if crash_point is not None:
        from runtime import crash_points

        assert (crash_point, 1) == crash_points._ARMED
    with (
        httpx2.Client(transport=ToLoopback(address), timeout=10) as http,
        connect(settings, application_name="tests", autocommit=True) as connection,
    ):
        session = a_session(http, Clock(), 8, "Europe/Berlin", Policy())
        send_due_digest(session, connection)


def _customer(connection: Connection, tenant: str) -> str:
    identity = new_id()
    connection.execute(
        "INSERT INTO customer_entities (id, tenant_id, organization_id, kind, display_name, entity_version,"
        " open_count, overdue_count, done_count, created_at, updated_at)"
        " VALUES (%s, %s, %s, 'person', 'Ada', 1, 0, 0, 0, now(), now())",
        (identity, tenant, ORGANIZATION),
    )
    return identity


@pytest.fixture(scope="module")
def settings(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    with own_database(embedded_stack, template_database) as made:
        yield made


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Switch, str]]:
    switch = Switch()
    with served(switch) as address:
        yield switch, address


@pytest.fixture
def desk(settings: Settings, server: tuple[Switch, str]) -> Iterator[Desk]:
    receiver = WebhookReceiver()
    server[0].app = receiver.app()
    with (
        httpx2.Client(transport=ToLoopback(server[1]), timeout=10) as http,
        connect(settings, application_name="tests", autocommit=True) as connection,
    ):
        connection.execute(
            "TRUNCATE integrations, job_checkpoints, job_schedules, customer_entities,"
            " customer_interactions, interaction_types CASCADE"
        )
        assert insert_integration(connection, _INTEGRATION)
        yield Desk(settings, connection, receiver, server[1], http)


def test_it_lists_what_is_overdue_and_due_today_by_owner(desk: Desk) -> None:
    ada, bob = new_id(), new_id()
    midnight = datetime(2026, 6, 8, 22, tzinfo=UTC)  # in Berlin
    last_year = desk.plan(midnight - timedelta(days=400), ada, title="Renewal")
    yesterday = desk.plan(midnight - timedelta(microseconds=1), ada, title=None)
    first = desk.plan(midnight, ada)
    last = desk.plan(midnight + timedelta(days=1, microseconds=-1), bob)
    nobodys = desk.plan(midnight, None)
    for other in (
        {"at": midnight + timedelta(days=1)},
        {"at": None},
        {"at": midnight, "status": "done"},
        {"at": midnight, "interaction_type": "note"},
        {"at": midnight, "tenant_id": new_id()},
        {"at": midnight, "organization_id": new_id()},
    ):
        desk.plan(**other)
    assert desk.send()
    (told,) = desk.digests
    assert told.event["type"] == "customers.interaction.digest"
    data = told.event["data"]
    assert (data["date"], data["timeZone"], data["ownerCount"]) == ("2026-06-09", "Europe/Berlin", 3)
    assert (data["overdue"], data["today"]) == (2, 3)
    shown = {
        owner["ownerUserId"]: (
            owner["overdue"],
            owner["today"],
            [(item["id"], item["overdue"]) for item in owner["items"]],
        )
        for owner in data["owners"]
    }
    assert shown == {
        ada: (2, 1, [(last_year, True), (yesterday, True), (first, False)]),
        bob: (0, 1, [(last, False)]),
        None: (0, 1, [(nobodys, False)]),
    }
    assert data["owners"][0]["items"][0]["title"] == "Renewal"
    assert data["owners"][0]["items"][2]["scheduledAt"] == "2026-06-08T22:00:00.000000Z"


def test_the_dictionary_and_the_policy_decide_which_types_count(desk: Desk) -> None:
    desk.connection.execute(
        "INSERT INTO interaction_types (tenant_id, organization_id, code, label, actionable)"
        " VALUES (%s, %s, 'call', 'Call', FALSE), (%s, %s, 'visit', 'Visit', TRUE)",
        (TENANT, ORGANIZATION) * 2,
    )
    for code in ("call", "visit", "task"):
        desk.plan(_MORNING, interaction_type=code)
    assert desk.send()
    desk.clock.now += timedelta(days=1)
    assert desk.send(desk.session(only_types=("visit", "call")))
    both, only = (told.event["data"] for told in desk.digests)
    assert sorted(item["interactionType"] for item in both["owners"][0]["items"]) == ["task", "visit"]
    assert [item["interactionType"] for item in only["owners"][0]["items"]] == ["visit"]


def test_it_is_sent_once_per_date(desk: Desk) -> None:
    desk.clock.now = datetime(2026, 6, 9, 5, 59, 59, tzinfo=UTC)
    assert not desk.send(), "its hour has not begun"
    sent = []
    for _ in range(72):
        desk.clock.now += timedelta(hours=1)
        sent.append(desk.send())
    assert sum(sent) == 3
    assert [told.event["data"]["date"] for told in desk.digests] == ["2026-06-09", "2026-06-10", "2026-06-11"]
    assert len({told.id for told in desk.digests}) == 3


def test_days_that_passed_are_not_made_up_and_today_is_once(desk: Desk) -> None:
    assert desk.send()
    desk.clock.now += timedelta(days=5, hours=14)  # 22:30 in Berlin
    assert desk.send()
    assert not desk.send()
    desk.clock.now += timedelta(hours=2)
    assert not desk.send(), "the next date's hour has not begun"
    assert [told.event["data"]["date"] for told in desk.digests] == ["2026-06-09", "2026-06-14"]


def test_a_refused_one_is_sent_later_that_day_under_the_same_id(desk: Desk) -> None:
    session = desk.session()
    desk.receiver.status = 503
    with pytest.raises(Retry):
        desk.send(session)
    desk.receiver.status = 204
    desk.clock.now += timedelta(hours=3)
    assert desk.send(session)
    refused, taken = desk.digests
    assert refused.id == taken.id
    assert not desk.send(session)


def test_several_processes_send_one(desk: Desk) -> None:
    others = 6
    together = threading.Barrier(others)

    def one(_: int) -> bool:
        with connect(desk.settings, application_name="tests", autocommit=True) as connection:
            together.wait(30)
            try:
                return send_due_digest(desk.session(), connection)
            except Retry:  # another one is at it
                return False

    with ThreadPoolExecutor(others) as threads:
        assert sum(threads.map(one, range(others))) == 1
    assert len(desk.digests) == 1


def test_a_process_killed_after_the_delivery_repeats_it_under_the_same_id(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_TEST_BUILD", "1")
    monkeypatch.setenv("INTERACTIONS_CRASH_POINT", _POINT)
    killed = _SPAWN.Process(target=deliver, args=(desk.settings, desk.address, _POINT))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -9
    monkeypatch.delenv("INTERACTIONS_CRASH_POINT")
    for _ in range(2):
        following = _SPAWN.Process(target=deliver, args=(desk.settings, desk.address, None))
        following.start()
        following.join(60)
        assert following.exitcode == 0
    first, repeated = desk.digests
    assert first.id == repeated.id
    assert os.environ.get("INTERACTIONS_CRASH_POINT") is None


def _entry(session: Session) -> Entry:
    nothing: Any = None  # the sessions of a test share a client
    opened = OpenedSession(session=session, client=nothing)
    return Entry(opened=opened, breaker=CircuitBreaker(session.now), integration=_INTEGRATION)


def test_it_waits_for_its_hour_and_a_restart_makes_up_a_missed_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.clock.now = datetime.now(UTC)
    hour = (desk.clock.now.hour + 2) % 24
    first = _entry(desk.session(hour, "UTC"))
    run_maintenance(first, desk.connection, 1.0, lambda: None)
    assert desk.digests == [], "an hour that was chosen just now is not made up"
    wait = first.due["digest"] - desk.clock.now
    assert timedelta(hours=1) <= wait <= timedelta(hours=2)
    moved = _entry(desk.session((desk.clock.now.hour + 1) % 24, "UTC"))
    run_maintenance(moved, desk.connection, 1.0, lambda: None)
    assert moved.due["digest"] - desk.clock.now <= timedelta(hours=1)
    (schedule,) = (it for it in list_schedules(desk.connection) if it.name == "digest:webhook-1")
    assert -7300 < schedule.late_seconds < 0

    missed = "UPDATE job_schedules SET due_at = now() - interval '1 hour' WHERE name = 'digest:webhook-1'"
    desk.connection.execute(missed)
    session = desk.session(desk.clock.now.hour, "UTC")  # the hour has begun today
    restarted = _entry(session)
    for _ in range(3):
        run_maintenance(restarted, desk.connection, 1.0, lambda: None)
    assert len(desk.digests) == 1
    assert restarted.due["digest"] - desk.clock.now > timedelta(hours=22)

    desk.connection.execute(missed)
    monkeypatch.setattr(delivery, "last_digest", lambda *_: None)
    desk.receiver.status = 503
    run_maintenance(failing := _entry(session), desk.connection, 1.0, lambda: None)
    assert timedelta(seconds=50) < failing.due["digest"] - desk.clock.now < timedelta(seconds=70)


def test_a_webhook_without_an_hour_sends_none(desk: Desk) -> None:
    silent = replace(desk.session(), digest=None)
    assert not desk.send(silent)
    run_maintenance(entry := _entry(silent), desk.connection, 1.0, lambda: None)
    assert "digest" not in entry.due
    assert desk.digests == []


def test_a_removed_integration_leaves_nothing(desk: Desk) -> None:
    assert desk.send()
    run_maintenance(_entry(desk.session()), desk.connection, 1.0, lambda: None)
    remove_integration(desk.connection, _INTEGRATION)
    assert list_schedules(desk.connection) == []
    left = "SELECT count(*) FROM job_checkpoints WHERE job LIKE 'connectors.digest%'"
    assert desk.connection.execute(left).fetchone() == (0,)
