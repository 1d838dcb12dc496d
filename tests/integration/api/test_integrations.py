"""Integrations over HTTP as stored: list, ledger pages, plan and providers, of the own organization alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from connectors.service.published_declarations import publish_declarations
from connectors.store.checkpoints import write_checkpoint
from connectors.store.integrations import insert_integration
from connectors.store.ledger_marks import LocalMark, mark_local
from connectors.store.warnings import raise_warning
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from tests.harness.gateway import Gateway
from tests.harness.integrations import a_warning, an_integration
from tests.harness.wire import new_id

pytestmark = pytest.mark.integration
PATH = "/api/customers/integrations"
VIEW, MANAGE = "customers.view", "customers.integrations.manage"
#: Waiting, failing, blocked and synced, as columns of the ledger.
_STATES = {
    "waiting": "attempts = 0",
    "failing": "attempts = 2, last_error = 'rate_limited: slow down'",
    "blocked": "parked = TRUE, next_attempt_at = NULL, attempts = 9, last_error = 'too_long: refused'",
    "synced": "next_attempt_at = NULL",
}


@dataclass
class Board:
    """One integration of a new organization, with two ledger rows in each state."""

    id: str
    tenant: str
    organization: str
    connection: Connection
    client: httpx2.Client
    rows: dict[str, list[str]]

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.client.get(f"{PATH}{path}", params=params)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def board(pipeline: Settings, gateway: Gateway) -> Iterator[Board]:
    tenant, organization = new_id(), new_id()
    identity = f"board-{new_id()[:8]}"
    rows: dict[str, list[str]] = {}
    with (
        connect(pipeline, application_name="test", autocommit=True) as connection,
        gateway.client(tenant=tenant, organization=organization, features=[VIEW]) as client,
    ):
        assert insert_integration(connection, an_integration(identity, tenant, organization))
        for state, columns in _STATES.items():
            rows[state] = [new_id(), new_id()]
            for interaction in rows[state]:
                mark = LocalMark(
                    integration_id=identity,
                    interaction_id=interaction,
                    tenant_id=tenant,
                    organization_id=organization,
                    entity_id=new_id(),
                    version=1,
                )
                mark_local(connection, [mark], datetime.now(UTC))
                statement = f"UPDATE sync_ledger SET {columns} WHERE interaction_id = %s"
                connection.execute(statement.encode(), (interaction,))
        yield Board(identity, tenant, organization, connection, client, rows)


def test_health_and_counts(board: Board) -> None:
    raise_warning(board.connection, a_warning(board.id, board.tenant, board.organization, new_id()))
    [item] = board.get("")["items"]
    assert (item["id"], item["state"], item["warnings"]) == (board.id, "active", 1)
    assert item["ledger"] == {"waiting": 2, "failing": 2, "blocked": 2, "synced": 2}
    assert (item["switchedOn"], item["lastSuccessAt"], item["healthy"]) == (False, None, None)
    assert board.get(f"/{board.id}") == {**item, "settings": None, "policy": None}


def test_each_count_equals_the_ledger_it_opens(board: Board) -> None:
    counts = board.get(f"/{board.id}")["ledger"]
    for state, count in counts.items():
        items = board.get(f"/{board.id}/ledger", state=state)["items"]
        assert {item["interactionId"] for item in items} == set(board.rows[state])
        assert len(items) == count
        assert {item["state"] for item in items} == {state}
    [first, *_] = board.get(f"/{board.id}/ledger", state="blocked")["items"]
    assert (first["reason"], first["attempts"], first["nextAttemptAt"]) == ("too_long: refused", 9, None)
    [first, *_] = board.get(f"/{board.id}/ledger", state="failing")["items"]
    assert first["nextAttemptAt"] is not None


def test_ledger_pages_hold_every_row_once(board: Board) -> None:
    found, cursor = [], None
    while True:
        page = board.get(f"/{board.id}/ledger", limit=3, **({"cursor": cursor} if cursor else {}))
        found += [item["interactionId"] for item in page["items"]]
        cursor = page.get("nextCursor")
        if cursor is None:
            break
    assert len(found) == 8
    assert set(found) == {one for rows in board.rows.values() for one in rows}
    first = board.get(f"/{board.id}/ledger", limit=3)["nextCursor"]
    other = board.client.get(f"{PATH}/{board.id}/ledger", params={"cursor": first, "state": "synced"})
    assert (other.status_code, other.json()["code"]) == (400, "invalid_cursor")


def test_another_organization_sees_and_changes_nothing(board: Board, gateway: Gateway) -> None:
    write_checkpoint(
        board.connection,
        f"connectors.plan:{board.id}",
        board.tenant,
        board.organization,
        {"state": "made", "at": "2026-03-01T09:00:00Z", "interactions": {"create": 1}, "objects": {}},
    )
    assert board.get(f"/{board.id}/plan")["interactions"] == {"create": 1}
    with gateway.client(
        tenant=board.tenant, organization=new_id(), features=[VIEW, MANAGE, "customers.edit"]
    ) as foreign:
        assert foreign.get(PATH).json() == {"items": []}
        for path in ("", "/ledger", "/plan"):
            assert foreign.get(f"{PATH}/{board.id}{path}").status_code == 404
        for path in ("/pause", "/resume", "/plan", "/test-connection"):
            assert foreign.post(f"{PATH}/{board.id}{path}").status_code == 404
        assert foreign.post(f"{PATH}/{board.id}/sync", json={}).status_code == 404
        retry = foreign.post(f"{PATH}/{board.id}/ledger/retry", json={"all": True})
        assert retry.status_code == 404


def test_writes_need_their_feature(board: Board) -> None:
    for path in ("/pause", "/resume", "/plan", "/test-connection"):
        assert board.client.post(f"{PATH}/{board.id}{path}").status_code == 403
    assert board.client.post(f"{PATH}/{board.id}/sync", json={}).status_code == 403
    assert board.client.post(PATH, json={"provider": "trello"}).status_code == 403
    assert board.client.post(f"{PATH}/{board.id}/ledger/retry", json={"all": True}).status_code == 403


def test_a_retry_names_rows_or_all(board: Board, gateway: Gateway) -> None:
    path = f"{PATH}/{board.id}/ledger/retry"
    with gateway.client(tenant=board.tenant, organization=board.organization) as client:
        for body in (
            {},
            {"all": True, "interactions": [new_id()]},
            {"interactions": [new_id()], "state": "failing"},
        ):
            assert client.post(path, json=body).status_code == 400


def test_providers_are_those_of_the_connectors(board: Board) -> None:
    publish_declarations(board.connection)
    answer = board.get("/providers")
    assert {"caldav", "trello", "webhook"} <= {item["name"] for item in answer["items"]}
    secret = [field for item in answer["items"] for field in item["settings"] if field["secret"]]
    assert secret
    assert {field["default"] for field in secret} == {None}
    assert answer["updatedAt"] is not None
