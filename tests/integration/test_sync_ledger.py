"""Leases of ledger rows: one owner at a time, who must keep renewing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from connectors.store.integrations import insert_integration, set_state
from connectors.store.ledger import SyncItem, claim, finish, renew
from connectors.store.ledger_marks import LocalMark, mark_local
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from tests.harness.integrations import an_integration
from tests.harness.wire import ORGANIZATION, TENANT, new_id

pytestmark = pytest.mark.integration
_START: Final = datetime(2026, 3, 1, 9, tzinfo=UTC)
_LEASE: Final = timedelta(seconds=90)


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="tests", autocommit=True) as opened:
        yield opened


def _due(connection: Connection) -> None:
    integration = an_integration("board", TENANT, ORGANIZATION)
    assert insert_integration(connection, integration)
    mark = LocalMark(
        integration_id="board",
        interaction_id=new_id(),
        tenant_id=TENANT,
        organization_id=ORGANIZATION,
        entity_id=new_id(),
        version=1,
    )
    assert mark_local(connection, [mark], _START) == 1


def _claim(connection: Connection, owner: str, after: float) -> list[SyncItem]:
    now = _START + timedelta(seconds=after)
    return claim(connection, "board", owner, now=now, lease=_LEASE, limit=1)


def test_each_step_renews_the_lease(connection: Connection) -> None:
    _due(connection)
    [item] = _claim(connection, "first", 0)
    assert _claim(connection, "second", 80) == []
    assert renew(connection, item, "first", now=_START + timedelta(seconds=80), lease=_LEASE)
    assert _claim(connection, "second", 160) == [], "without the renewal, it would have expired at 90 s"
    assert _claim(connection, "second", 171) == [item]


@pytest.mark.parametrize("state", ["paused", "needs_auth", "needs_confirmation"])
def test_nothing_is_claimed_unless_the_integration_is_active(connection: Connection, state: str) -> None:
    _due(connection)
    set_state(connection, "board", state, "a reason")
    assert _claim(connection, "first", 0) == []
    set_state(connection, "board", "active", None)
    assert len(_claim(connection, "first", 0)) == 1


def test_a_lost_lease_can_be_neither_renewed_nor_finished(connection: Connection) -> None:
    _due(connection)
    [item] = _claim(connection, "first", 0)
    assert _claim(connection, "second", 91) == [item]
    late = _START + timedelta(seconds=92)
    assert not renew(connection, item, "first", now=late, lease=_LEASE)
    assert not finish(connection, item, "first", now=late, version=1, again_at=None)
    assert finish(connection, item, "second", now=late, version=1, again_at=None)
    assert not renew(connection, item, "second", now=late, lease=_LEASE), "the row was released"
    assert not renew(connection, replace(item, integration_id="other"), "second", now=late, lease=_LEASE)
