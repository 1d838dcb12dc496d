"""The list: pages are ordered and complete without duplicates; cursors are bound to their list."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.gateway import Gateway, token
from tests.harness.wire import TENANT, new_id

pytestmark = pytest.mark.integration
PATH = "/api/customers/interactions"
COLUMNS = {
    "scheduledAt": "scheduled_at",
    "occurredAt": "occurred_at",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "status": "status",
    "priority": "priority",
    "interactionType": "interaction_type",
    "title": "title",
}
ROWS = 150
ORGANIZATION = new_id()
_MOMENT = "coalesce(occurred_at, scheduled_at, created_at)"


@pytest.fixture(scope="module")
def stored(pipeline: Settings) -> Settings:
    """Rows with many equal and many NULL values, in two organizations."""
    _fill(pipeline)
    return pipeline


@pytest.fixture(scope="module")
def client(stored: Settings, gateway: Gateway) -> Iterator[httpx2.Client]:
    with gateway.client(organization=ORGANIZATION) as found:
        yield found


def _fill(settings: Settings) -> None:
    rng = random.Random(5)
    start = datetime(2026, 5, 1, 9, 0, 0, 123456, tzinfo=UTC)
    with connect(settings, application_name="interactions-tests") as connection:
        for organization in (ORGANIZATION, new_id()):
            customers = [new_id() for _ in range(3)]
            for customer in customers:
                connection.execute(
                    "INSERT INTO customer_entities (id, tenant_id, organization_id, kind, display_name,"
                    " entity_version, open_count, overdue_count, done_count, created_at, updated_at)"
                    " VALUES (%s, %s, %s, 'person', 'Somebody', 1, 0, 0, 0, now(), now())",
                    (customer, TENANT, organization),
                )
            for number in range(ROWS):
                moment = start + timedelta(microseconds=rng.randrange(40))
                connection.execute(
                    "INSERT INTO customer_interactions (id, organization_id, tenant_id, entity_id,"
                    " interaction_type, title, status, scheduled_at, occurred_at, priority, version,"
                    " schedule_version, due_phase, status_as_of, scheduled_as_of, occurred_as_of, created_at,"
                    " updated_at)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, 1, 0, %s, %s, %s, %s, %s)",
                    (
                        new_id(),
                        organization,
                        TENANT,
                        rng.choice(customers),
                        rng.choice(["call", "email", "task"]),
                        rng.choice([None, "100% sure", "a_b", "Zoë", f"number {number}"]),
                        rng.choice(["planned", "done", "canceled"]),
                        rng.choice([None, moment]),
                        rng.choice([None, moment]),
                        rng.choice([None, 0, 5, 5, 90]),
                        *[start + timedelta(microseconds=rng.randrange(40)) for _ in range(5)],
                    ),
                )
        connection.execute("ANALYZE")


def _pages(client: httpx2.Client, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = client.get(PATH, params={**query, **cursor})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= int(query.get("limit", 25))
        found += page["items"]
        if "nextCursor" not in page:
            return found
        assert len(page["items"]) == int(query.get("limit", 25)), "only the last page is short"
        cursor = {"cursor": page["nextCursor"]}


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("sort", list(COLUMNS))
def test_every_order_page_by_page(client: httpx2.Client, stored: Settings, sort: str, direction: str) -> None:
    with connect(stored, application_name="tests") as connection:
        wanted = [
            str(identity)
            for (identity,) in connection.execute(
                f"SELECT id FROM customer_interactions WHERE organization_id = %s"
                f" ORDER BY {COLUMNS[sort]} {direction}, id {direction}",
                (ORGANIZATION,),
            )
        ]
    assert len(wanted) == ROWS
    pages = _pages(client, sortField=sort, sortDir=direction, limit=23)
    assert [item["id"] for item in pages] == wanted


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ({"status": "planned"}, "status = 'planned'"),
        ({"status": "done,canceled"}, "status IN ('done', 'canceled')"),
        ({"interactionType": "E-mail"}, "false"),
        ({"interactionType": "email,TASK"}, "interaction_type IN ('email', 'task')"),
        ({"search": "100%"}, "title = '100%% sure'"),
        ({"search": "ZOË"}, "title = 'Zoë'"),
        ({"search": "_"}, "title = 'a_b'"),
        (
            {"from": "2026-05-01T09:00:00.123470Z", "to": "2026-05-01T09:00:00.123480Z"},
            f"{_MOMENT} BETWEEN '2026-05-01T09:00:00.123470Z' AND '2026-05-01T09:00:00.123480Z'",
        ),
        ({"ownerUserId": "99999999-9999-4999-8999-999999999999"}, "false"),
    ],
)
def test_filters(client: httpx2.Client, stored: Settings, query: dict[str, str], condition: str) -> None:
    with connect(stored, application_name="tests") as connection:
        wanted = {
            str(identity)
            for (identity,) in connection.execute(
                f"SELECT id FROM customer_interactions WHERE organization_id = %s AND {condition}",
                (ORGANIZATION,),
            )
        }
    found = [item["id"] for item in _pages(client, limit=11, **query)]
    assert len(found) == len(set(found))
    assert set(found) == wanted
    if condition != "false":
        assert wanted


def test_the_default_order_and_page(client: httpx2.Client) -> None:
    items = client.get(PATH).json()["items"]
    assert len(items) == 25
    moments = [item["scheduledAt"] for item in items]
    assert moments == sorted(moments)
    first = datetime.fromisoformat(
        client.get(PATH, params={"sortField": "createdAt"}).json()["items"][0]["createdAt"]
    )
    last = datetime.fromisoformat(
        client.get(PATH, params={"sortField": "createdAt", "sortDir": "asc"}).json()["items"][0]["createdAt"]
    )
    assert first > last, "createdAt is newest first by default"


def test_a_cursor_is_of_one_list(client: httpx2.Client) -> None:
    cursor = client.get(PATH, params={"limit": 5, "status": "planned"}).json()["nextCursor"]
    assert set(json.loads(base64.urlsafe_b64decode(cursor + "=="))) == {"v", "s", "d", "f", "k", "id"}
    good = client.get(PATH, params={"limit": 50, "status": "planned", "cursor": cursor})
    assert good.status_code == 200, "the size of a page may change"
    for query in (
        {"status": "done", "cursor": cursor},
        {"status": "planned", "sortDir": "desc", "cursor": cursor},
        {"status": "planned", "sortField": "title", "cursor": cursor},
        {"cursor": cursor[:-4]},
        {"cursor": "bm9uc2Vuc2U"},
        {"cursor": "ü"},
    ):
        answer = client.get(PATH, params=query)
        assert (answer.status_code, answer.json()["error"]) == (400, "Invalid cursor"), query


@pytest.mark.parametrize(
    ("query", "attribute"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"sortField": "body"}, "sortField"),
        ({"sortDir": "down"}, "sortDir"),
        ({"entityId": "x"}, "entityId"),
        ({"status": "open"}, "status"),
        ({"from": "yesterday"}, "from"),
        ({"search": ""}, "search"),
    ],
)
def test_a_wrong_parameter_is_named(client: httpx2.Client, query: dict[str, str], attribute: str) -> None:
    answer = client.get(PATH, params=query)
    assert answer.status_code == 400
    assert [error["attribute"] for error in answer.json()["errors"]] == [attribute]


def test_a_full_page_is_one_statement(client: httpx2.Client) -> None:
    answer = client.get(PATH, params={"limit": 100})
    assert len(answer.json()["items"]) == 100
    assert int(answer.headers["x-statements"]) <= 3


def test_the_gateways_connections_cannot_write(stored: Settings) -> None:
    import asyncio

    import psycopg

    from api.read_pool import ReadPool

    async def write() -> None:
        pool = ReadPool(stored, size=1, seconds=5)
        await pool.open()
        try:
            async with pool.connection() as connection:
                await connection.execute("DELETE FROM customer_interactions")
        finally:
            await pool.close()

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        asyncio.run(write())


def test_another_organization_sees_nothing_of_it(stored: Settings, client: httpx2.Client) -> None:
    own = client.get(PATH, params={"limit": 1}).json()["items"][0]
    for scope in ({"tenant": new_id(), "organization": ORGANIZATION}, {"organization": new_id()}):
        other = httpx2.Client(base_url=client.base_url, headers=_bearer(**scope))
        with other:
            assert other.get(PATH, params={"entityId": own["entityId"]}).json() == {"items": []}
            assert other.get(f"{PATH}/{own['id']}").status_code == 404


def _bearer(**scope: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(**scope)}"}
