"""Stall detection: integrations that make no progress while work waits, each reported in one sentence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.store.integrations import Integration, insert_integration, set_state
from connectors.store.ledger import claim, finish, give_back
from connectors.store.ledger_marks import LocalMark, mark_local
from connectors.store.stalls import note_poll, sync_stalls
from runtime.health import Stall
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from tests.harness.integrations import an_integration
from tests.harness.wire import ORGANIZATION, TENANT, new_id
from tests.stack_fixtures import own_database

pytestmark = pytest.mark.integration
_LEASE = timedelta(seconds=90)


@pytest.fixture(scope="module")
def settings(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    with own_database(embedded_stack, template_database) as made:
        yield made


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    with connect(settings, application_name="tests", autocommit=True) as opened:
        opened.execute("TRUNCATE integrations, job_checkpoints, feature_flags CASCADE")
        opened.execute(
            "INSERT INTO feature_flags (tenant_id, organization_id, flag, enabled, updated_at)"
            " VALUES (%s, %s, 'customers.interactions.external-sync', TRUE, now())",
            (TENANT, ORGANIZATION),
        )
        assert insert_integration(opened, _integration("board"))
        yield opened


def _integration(identity: str) -> Integration:
    return an_integration(identity, TENANT, ORGANIZATION)


def _mark(connection: Connection, at: datetime, count: int = 1) -> None:
    marks = [
        LocalMark(
            integration_id="board",
            interaction_id=new_id(),
            tenant_id=TENANT,
            organization_id=ORGANIZATION,
            entity_id=new_id(),
            version=1,
        )
        for _ in range(count)
    ]
    mark_local(connection, marks, at)


def _after(connection: Connection, seconds: float) -> list[Stall]:
    return sync_stalls(connection, datetime.now(UTC) + timedelta(seconds=seconds))


def test_due_items_that_no_worker_finishes_are_noticed_within_two_minutes(connection: Connection) -> None:
    """A lease must not hide a stall, whether all workers hang or the process keeps crashing."""
    now = datetime.now(UTC)
    _mark(connection, now, 3)
    assert _after(connection, 60) == []
    claim(connection, "board", "a worker that hangs", now=now, lease=_LEASE, limit=3)
    [stall] = _after(connection, 120)
    assert (stall.stage, stall.place) == ("sync", "integration board")
    assert stall.seconds >= 119
    assert stall.reason.startswith("Integration board has 3 items due since 20")


def test_a_long_queue_that_moves_is_no_stall(connection: Connection) -> None:
    now = datetime.now(UTC)
    _mark(connection, now - timedelta(hours=1), 3)
    [item] = claim(connection, "board", "me", now=now, lease=_LEASE, limit=1)
    assert finish(connection, item, "me", now=now, version=1, again_at=None)
    assert _after(connection, 30) == []


def test_an_item_put_off_for_years_is_noticed_at_once(connection: Connection) -> None:
    now = datetime.now(UTC)
    _mark(connection, now)
    [item] = claim(connection, "board", "me", now=now, lease=_LEASE, limit=1)
    again_at = now + timedelta(seconds=2147483647)
    give_back(connection, item, "me", again_at=again_at, error="HTTP 503 of board.example", failed=True)
    [stall] = _after(connection, 0)
    assert stall.stage == "sync"
    assert f"deferred until {again_at.year}" in stall.reason
    assert "(HTTP 503 of board.example)" in stall.reason
    assert "connectors retry --all --integration board" in stall.reason


def test_a_poll_that_does_not_end_is_noticed_within_two_minutes(connection: Connection) -> None:
    now = datetime.now(UTC)
    note_poll(connection, _integration("board"), now)
    assert _after(connection, 60) == []
    [stall] = _after(connection, 120)
    assert (stall.stage, stall.place) == ("polls", "integration board")
    assert "has not finished" in stall.reason

    note_poll(connection, _integration("board"), now + timedelta(minutes=10), done_at=now)
    assert _after(connection, 120) == []


def test_polls_that_fail_for_long_say_why(connection: Connection) -> None:
    now = datetime.now(UTC)
    note_poll(connection, _integration("board"), now, done_at=now)
    reason = "Board at board.example answered HTTP 503"
    note_poll(connection, _integration("board"), now + timedelta(minutes=10), reason=reason)
    assert _after(connection, 60) == []
    [stall] = _after(connection, 120)
    assert stall.stage == "polls"
    assert f"({reason})" in stall.reason


def test_an_integration_that_waits_for_a_person_is_no_stall(connection: Connection) -> None:
    now = datetime.now(UTC)
    _mark(connection, now)
    note_poll(connection, _integration("board"), now)
    assert len(_after(connection, 120)) == 2
    set_state(connection, "board", "paused", "by a person")
    assert _after(connection, 120) == []
    set_state(connection, "board", "active", None)
    connection.execute("UPDATE feature_flags SET enabled = FALSE")
    assert _after(connection, 120) == []
