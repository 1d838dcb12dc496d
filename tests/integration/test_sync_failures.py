"""Failing sync items: the row is always released, with a reason and a bounded pause."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from connectors.sdk.declaration import Declaration, MirroredField, ProviderSettings
from connectors.sdk.http_errors import Throttled
from connectors.sdk.remote import Health
from connectors.service.maintenance import check_health
from connectors.store.integrations import (
    insert_integration,
    read_integration,
    set_health,
    set_secrets,
    set_settings,
    set_state,
)
from connectors.store.ledger import finish
from connectors.store.ledger_marks import LocalMark, mark_local, retry_items
from connectors.store.removal import remove_integration
from connectors.store.warnings import list_warnings
from connectors.sync import failure_policy, worker
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.context import SyncContext
from connectors.sync.policy import Policy
from connectors.sync.session import Session
from connectors.sync.worker import Worker
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.errors import Conflict, InteractionsError, NeedsAuth, Reject, Retry, Skip, Stop
from tests.harness.integrations import an_integration
from tests.harness.wire import ORGANIZATION, TENANT, new_id
from tests.stack_fixtures import own_database

pytestmark = pytest.mark.integration
_STATUS = MirroredField(name="status", remote_name="status")


@pytest.fixture(scope="module")
def settings(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    with own_database(embedded_stack, template_database) as made:
        yield made


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    with connect(settings, application_name="tests", autocommit=True) as opened:
        opened.execute("TRUNCATE integrations CASCADE")
        assert insert_integration(opened, an_integration("board", TENANT, ORGANIZATION))
        yield opened


class Failing:
    """Worker whose items fail with a given error.

    :ivar now: the worker's clock.
    :ivar on_run: called before an item fails.
    :ivar on_announce: called with the kind of each announced event.
    """

    def __init__(self, connection: Connection, monkeypatch: pytest.MonkeyPatch, **declared: Any) -> None:
        self.connection = connection
        self.now = datetime.now(UTC)
        self.error: Exception = Retry("down")
        self.announced: list[str] = []
        self.on_announce: Callable[[str], None] = self.announced.append
        declaration = Declaration(
            name="board", title="Board", summary="", settings=ProviderSettings, make=lambda *_: None,  # type: ignore[arg-type]
            fields=(_STATUS,),
            features=frozenset(), hosts=lambda _: (), limits=(), **declared,
        )  # fmt: skip
        self.session = Session(
            integration=an_integration("board", TENANT, ORGANIZATION),
            declaration=declaration,
            provider=Any,  # type: ignore[arg-type]
            policy=Policy(),
            send=lambda _: None,
            now=lambda: self.now,
            announce=lambda kind, *_: self.on_announce(kind),
        )
        self.breaker = CircuitBreaker(lambda: self.now)
        self.worker = Worker(self.session, connection, "me", self.breaker)

        self.on_run: Callable[[object], None] = lambda _: None

        def fail(*_: object) -> None:
            self.on_run(self)
            raise self.error

        monkeypatch.setattr(worker, "run_item", fail)

    def mark(self) -> str:
        identity = new_id()
        one = LocalMark(
            integration_id="board",
            interaction_id=identity,
            tenant_id=TENANT,
            organization_id=ORGANIZATION,
            entity_id=new_id(),
            version=1,
        )
        mark_local(self.connection, [one], self.now)
        return identity

    def fail(self, error: Exception) -> dict[str, Any]:
        """Try a new item once and return its row."""
        identity = self.mark()
        self.error = error
        assert self.worker.work(only=identity) == 1
        return self.row(identity)

    def row(self, identity: str) -> dict[str, Any]:
        names = ("attempts", "parked", "last_error", "next_attempt_at", "lease_owner")
        found = self.connection.execute(
            "SELECT attempts, parked, last_error, next_attempt_at, lease_owner FROM sync_ledger"
            " WHERE interaction_id = %s",
            (identity,),
        ).fetchone()
        assert found is not None
        return dict(zip(names, found, strict=True))


@pytest.fixture
def failing(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Failing:
    return Failing(connection, monkeypatch)


@pytest.mark.parametrize("after", [1e13, 2147483647, 10.0**300, float("inf"), float("nan"), -1e9])
@pytest.mark.parametrize("kind", [Retry, Throttled])
def test_no_pause_that_a_provider_asks_for_is_longer_than_an_hour(
    failing: Failing, after: float, kind: type[Retry]
) -> None:
    row = failing.fail(kind("busy", after=after))
    assert row["lease_owner"] is None
    assert failing.now <= row["next_attempt_at"] <= failing.now + timedelta(seconds=3601)


@pytest.mark.parametrize(
    "error",
    [
        Retry("line one\nline two\x00 and \ud83d" + "x" * 5000),
        Reject("a_code\x00", "a detail\x00"),
        Conflict(""),
        Skip("made by others"),
        ValueError("a secret of the provider"),
        RecursionError(),
        OverflowError("timestamp out of range"),
        NeedsAuth("The server at dav.example refuses the credentials (HTTP 401)\x00"),
        Stop("gone for good"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_error_gives_the_row_back(failing: Failing, error: Exception) -> None:
    row = failing.fail(error)
    assert row["lease_owner"] is None
    if not isinstance(error, InteractionsError):
        assert row["last_error"] == f"a defect of the connector ({type(error).__name__})"


def test_a_failure_of_the_error_handling_reaches_no_other_item(
    failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overflow(*_: object) -> None:
        raise OverflowError("days=115740740; must have magnitude <= 999999999")

    monkeypatch.setattr(failure_policy, "pause_before", overflow)
    identities = [failing.mark() for _ in range(3)]
    assert failing.worker.work() == 3
    for identity in identities:
        row = failing.row(identity)
        assert (row["attempts"], row["lease_owner"]) == (1, None)
        assert failing.now < row["next_attempt_at"] <= failing.now + timedelta(minutes=2)


def test_a_removal_is_a_normal_end_for_an_item_in_flight(failing: Failing) -> None:
    def remove(_: object) -> None:
        assert remove_integration(failing.connection, failing.session.integration) is not None
        raise Reject("gone", "its object was deleted")

    failing.mark()
    failing.on_run = remove
    with structlog.testing.capture_logs() as logs:
        assert failing.worker.work() == 1
    assert not [entry for entry in logs if entry["event"] == "connectors.failure_not_handled"]


def test_an_outage_of_any_length_is_borne(failing: Failing) -> None:
    """After 2,000 failures a naive backoff would overflow a float."""
    identity = failing.mark()
    failing.connection.execute("UPDATE sync_ledger SET attempts = 2000")
    for _ in range(5):
        failing.breaker.record_failure()
    failing.now += timedelta(hours=1)
    assert failing.worker.work() == 1
    row = failing.row(identity)
    assert row["attempts"] == 2001
    assert row["next_attempt_at"] <= failing.now + timedelta(minutes=10)


def test_an_item_that_waits_long_is_shown_and_can_be_retried(failing: Failing) -> None:
    identity = failing.mark()
    failing.error = Retry("Board at board.example answered HTTP 503", after=2147483647)
    failing.worker.work()
    [warning] = list_warnings(failing.connection, integration_id="board")
    assert (warning.kind, warning.interaction_id) == ("failed", identity)
    assert warning.detail.startswith("next attempt at 20")
    assert warning.detail.endswith("Board at board.example answered HTTP 503")
    assert failing.announced == ["warning", "mapping_changed"]

    assert retry_items(failing.connection, "board", None, failing.now) == 1
    assert failing.row(identity)["next_attempt_at"] == failing.now


def test_views_are_invalidated_when_the_row_is_released(
    failing: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sync(context: SyncContext) -> None:
        context.tell_views()
        finish(context.connection, context.item, "me", now=failing.now, version=1, again_at=None)

    monkeypatch.setattr(worker, "run_item", sync)
    identity = failing.mark()
    shown: list[dict[str, Any]] = []
    failing.on_announce = lambda _: shown.append(failing.row(identity))
    assert failing.worker.work() == 1
    [row] = shown
    assert (row["lease_owner"], row["next_attempt_at"]) == (None, None)


def test_retry_takes_an_item_that_is_due_later_for_whatever_reason(failing: Failing) -> None:
    later, done = failing.mark(), failing.mark()
    failing.connection.execute(
        "UPDATE sync_ledger SET next_attempt_at = '2094-01-01' WHERE interaction_id = %s", (later,)
    )
    failing.connection.execute(
        "UPDATE sync_ledger SET next_attempt_at = NULL WHERE interaction_id = %s", (done,)
    )
    assert retry_items(failing.connection, "board", None, failing.now) == 1
    assert failing.row(later)["next_attempt_at"] == failing.now
    assert failing.row(done)["next_attempt_at"] is None


def test_a_short_wait_raises_no_warning(failing: Failing) -> None:
    failing.fail(Retry("down", after=30))
    assert list_warnings(failing.connection, integration_id="board") == []


def test_the_state_says_the_real_reason(failing: Failing) -> None:
    reason = "The CalDAV server at dav.example answered HTTP 405 to REPORT: it does not support reports"
    failing.fail(NeedsAuth(reason))
    found = read_integration(failing.connection, "board")
    assert found is not None
    assert (found.state, found.state_reason) == ("needs_auth", reason)
    [warning] = list_warnings(failing.connection, integration_id="board")
    assert (warning.kind, warning.detail) == ("auth", reason)


def test_an_integration_that_stopped_is_not_healthy(failing: Failing) -> None:
    for error, state in ((NeedsAuth("expired"), "needs_auth"), (Stop("gone for good"), "disabled")):
        set_state(failing.connection, "board", "active", None)
        set_health(failing.connection, "board", True, "fine", failing.now)
        failing.fail(error)
        found = read_integration(failing.connection, "board")
        assert found is not None
        assert (found.state, found.healthy, found.health_detail) == (state, False, str(error))


@pytest.mark.parametrize("error", [NeedsAuth("expired"), Stop("gone for good")])
def test_what_replaced_secrets_found_stops_nothing(failing: Failing, error: Exception) -> None:
    """A person renews the credentials while a request with the old ones is under way."""
    set_state(failing.connection, "board", "active", None)
    set_health(failing.connection, "board", True, "fine", failing.now)
    failing.on_run = lambda _: set_secrets(failing.connection, "board", b"renewed", "k1")
    row = failing.fail(error)
    found = read_integration(failing.connection, "board")
    assert found is not None
    assert (found.state, found.healthy) == ("active", True)
    assert list_warnings(failing.connection, integration_id="board") == []
    assert failing.announced == []
    assert (row["attempts"], row["parked"], row["lease_owner"]) == (0, False, None)
    assert failing.now < row["next_attempt_at"] <= failing.now + timedelta(seconds=5)


def test_what_replaced_settings_found_is_not_the_health_of_the_new_ones(failing: Failing) -> None:
    def health() -> Health:
        row = read_integration(failing.connection, "board")
        assert row is not None
        set_settings(failing.connection, replace(row, settings={"url": "https://new.example/"}))
        return Health(ok=False, detail="the old server does not answer")

    set_health(failing.connection, "board", True, "fine", failing.now)
    check_health(replace(failing.session, provider=SimpleNamespace(health=health)), failing.connection)  # type: ignore[arg-type]
    found = read_integration(failing.connection, "board")
    assert found is not None
    assert (found.healthy, found.health_detail) == (True, "fine")
    assert failing.announced == []
