"""Lists of signals and drafts: ordered, filtered, and complete page by page while other requests write."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.gateway import Gateway
from tests.harness.wire import TENANT, event, new_id, outcomes, publish
from tests.integration.api.signal_desk import DRAFTS, SIGNALS, Desk

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
ROWS = 90
ORGANIZATION = new_id()
USERS = ("ann", "bob")
_STATUSES = ("open", "resolving", "resolved", "skipped")


@pytest.fixture(scope="module")
def stored(pipeline: Settings) -> Settings:
    """Rows with many equal times, in two organizations."""
    rng = random.Random(7)
    start = datetime(2026, 5, 1, 9, 0, 0, 123456, tzinfo=UTC)

    def at() -> datetime:
        return start + timedelta(microseconds=rng.randrange(25))

    with connect(pipeline, application_name="interactions-tests") as connection:
        for organization in (ORGANIZATION, new_id()):
            scope = {"tenant": TENANT, "organization": organization}
            customers = [(new_id(), new_id()) for _ in range(3)]
            for customer, call in customers:
                made = [
                    event("entity.upsert", customer, _person(customer), **scope),
                    event("interaction.create", customer, {"id": call, "interactionType": "call"}, **scope),
                ]
                assert {it["outcome"] for it in outcomes(pipeline, made)} == {"applied"}
            for number in range(ROWS):
                customer, call = rng.choice(customers)
                signal, draft, status = new_id(), new_id(), _STATUSES[number % 4]
                connection.execute(
                    "INSERT INTO signals (id, tenant_id, organization_id, interaction_id, entity_id, kind,"
                    " title, person_id, status, draft_id, detected_at, version, created_at, updated_at)"
                    " VALUES (%s, %s, %s, %s, %s, %s, 'Offer', %s, %s, %s, %s, 1, now(), %s)",
                    (
                        signal,
                        TENANT,
                        organization,
                        call,
                        customer,
                        rng.choice(["promise", "risk", "call_back"]),
                        rng.choice([None, customers[0][0]]),
                        status,
                        draft if status == "resolved" else None,
                        at(),
                        at(),
                    ),
                )
                connection.execute(
                    "INSERT INTO generated_drafts (id, tenant_id, organization_id, signal_id, interaction_id,"
                    " entity_id, person_id, user_id, channel, body, language, status, writer, version,"
                    " created_at, updated_at)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, 'Dear A', 'en', %s, 'tests', 1, %s, now())",
                    (
                        draft,
                        TENANT,
                        organization,
                        signal,
                        call,
                        customer,
                        rng.choice(customers)[0],
                        rng.choice(USERS),
                        rng.choice(["text", "email", "call"]),
                        rng.choice(["draft", "sent", "deleted"]),
                        at(),
                    ),
                )
        connection.execute("ANALYZE")
    return pipeline


@pytest.fixture(scope="module")
def desk(stored: Settings, gateway: Gateway) -> Iterator[Desk]:
    with gateway.client(organization=ORGANIZATION) as client:
        yield Desk(client, stored, gateway)


def pages(desk: Desk, path: str, **query: Any) -> list[str]:
    """Ids of all pages."""
    found: list[str] = []
    while True:
        page = desk.read(path, **query)
        found += [item["id"] for item in page["items"]]
        if "nextCursor" not in page:
            return found
        assert len(page["items"]) == query["limit"], "only the last page is short"
        query["cursor"] = page["nextCursor"]


def wanted(desk: Desk, table: str, condition: str, order: str) -> list[str]:
    with connect(desk.settings, application_name="tests") as connection:
        statement = (
            f"SELECT id::text FROM {table} WHERE organization_id = %s AND {condition} ORDER BY {order}"
        )
        return [row[0] for row in connection.execute(statement.encode(), (ORGANIZATION,))]


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize(("sort", "column"), [("detectedAt", "detected_at"), ("updatedAt", "updated_at")])
@pytest.mark.parametrize("statuses", [None, ("open",), ("skipped", "open", "resolved")])
def test_signals_in_every_order_page_by_page(
    desk: Desk, sort: str, column: str, direction: str, statuses: tuple[str, ...] | None
) -> None:
    query = {"sortField": sort, "sortDir": direction, "limit": 7}
    condition = "true"
    if statuses is not None:
        query["status"] = ",".join(statuses)
        condition = f"status IN ({', '.join(repr(status) for status in statuses)})"
    rows = wanted(desk, "signals", condition, f"{column} {direction}, id {direction}")
    assert len(rows) > 20
    assert pages(desk, SIGNALS, **query) == rows


def test_the_default_lists(desk: Desk) -> None:
    assert desk.ids(SIGNALS) == wanted(desk, "signals", "true", "detected_at DESC, id DESC")[:25]
    assert pages(desk, DRAFTS, limit=9) == wanted(
        desk, "generated_drafts", "status <> 'deleted'", "created_at DESC, id DESC"
    )
    assert int(desk.client.get(SIGNALS).headers["x-statements"]) <= 3


def test_filters(desk: Desk) -> None:
    (signal,) = desk.read(SIGNALS, limit=1, status="resolved")["items"]
    customer, call = signal["entityId"], signal["interactionId"]
    (draft,) = desk.read(DRAFTS, limit=1)["items"]
    person = draft["personId"]
    for path, query, condition in (
        (SIGNALS, {"interactionId": call}, f"interaction_id = '{call}'"),
        (SIGNALS, {"entityId": customer, "status": "open"}, f"entity_id = '{customer}' AND status = 'open'"),
        (SIGNALS, {"personId": customer}, f"coalesce(person_id, entity_id) = '{customer}'"),
        (SIGNALS, {"kind": "Promise,risk"}, "kind IN ('promise', 'risk')"),
        (SIGNALS, {"kind": "birthday"}, "false"),
        (SIGNALS, {"entityId": new_id()}, "false"),
        (DRAFTS, {"signalId": draft["signalId"]}, f"signal_id = '{draft['signalId']}'"),
        (DRAFTS, {"interactionId": call}, f"interaction_id = '{call}'"),
        (DRAFTS, {"entityId": customer, "channel": "text"}, f"entity_id = '{customer}' AND channel = 'text'"),
        (DRAFTS, {"personId": person}, f"person_id = '{person}'"),
        (DRAFTS, {"userId": "ann", "status": "sent"}, "user_id = 'ann' AND status = 'sent'"),
        (DRAFTS, {"status": "deleted"}, "status = 'deleted'"),
        (DRAFTS, {"userId": "eve"}, "false"),
    ):
        table = "signals" if path == SIGNALS else "generated_drafts"
        default = "status <> 'deleted'" if path == DRAFTS and "status" not in query else "true"
        time = "detected_at" if path == SIGNALS else "created_at"
        rows = wanted(desk, table, f"{condition} AND {default}", f"{time} DESC, id DESC")
        assert bool(rows) == ("false" not in condition), query
        assert pages(desk, path, limit=4, **query) == rows, query


def test_a_cursor_is_of_one_list(desk: Desk) -> None:
    cursor = desk.read(SIGNALS, limit=5, status="open,skipped")["nextCursor"]
    good = desk.client.get(SIGNALS, params={"limit": 50, "status": "skipped,open", "cursor": cursor})
    assert good.status_code == 200, "the size of a page and the order of the statuses may change"
    for path, query in (
        (SIGNALS, {"status": "open"}),
        (SIGNALS, {"status": "open,skipped", "sortDir": "asc"}),
        (SIGNALS, {"status": "open,skipped", "sortField": "updatedAt"}),
        (SIGNALS, {"status": "open,skipped", "kind": "risk"}),
        (DRAFTS, {}),
    ):
        answer = desk.client.get(path, params={**query, "cursor": cursor})
        assert (answer.status_code, answer.json()["error"]) == (400, "Invalid cursor"), query


@pytest.mark.parametrize(
    ("path", "query", "attribute"),
    [
        (SIGNALS, {"status": "planned"}, "status"),
        (SIGNALS, {"status": "open,"}, "status"),
        (SIGNALS, {"sortField": "title"}, "sortField"),
        (SIGNALS, {"interactionId": "x"}, "interactionId"),
        (SIGNALS, {"limit": "101"}, "limit"),
        (SIGNALS, {"signalId": new_id()}, "signalId"),
        (DRAFTS, {"status": "open"}, "status"),
        (DRAFTS, {"channel": "fax"}, "channel"),
        (DRAFTS, {"userId": "\x00"}, "userId"),
    ],
)
def test_a_wrong_parameter_is_named(desk: Desk, path: str, query: dict[str, str], attribute: str) -> None:
    answer = desk.client.get(path, params=query)
    assert answer.status_code == 400
    assert [error["attribute"] for error in answer.json()["errors"]] == [attribute]


def test_pages_have_no_gap_while_others_write(pipeline: Settings, gateway: Gateway) -> None:
    """Every row that is there from the beginning is listed once, in whichever status; so is none twice."""
    scope = {"tenant": new_id(), "organization": new_id()}
    customer, call, signals = new_id(), new_id(), [new_id() for _ in range(60)]
    made = [
        event("entity.upsert", customer, _person(customer), **scope),
        event("interaction.create", customer, {"id": call, "interactionType": "call"}, **scope),
        *(_recorded(customer, call, signal, **scope) for signal in signals),
    ]
    assert {result["outcome"] for result in outcomes(pipeline, made)} == {"applied"}
    stop = threading.Event()
    written: list[dict[str, Any]] = []

    def write() -> None:
        rng = random.Random(3)
        while not stop.is_set():
            more = [_recorded(customer, call, new_id(), **scope)] if len(written) < 30 else []
            one = rng.choice(signals)
            changes = [
                event("signal.update", customer, {"id": one, "confidence": rng.randrange(100)}, **scope),
                event(rng.choice(["signal.skip", "signal.reopen"]), customer, {"id": one}, **scope),
            ]
            publish(pipeline, [*more, *changes])
            written.extend(more)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with gateway.client(**scope) as client:
            desk = Desk(client, pipeline, gateway)
            for direction in ("asc", "desc", "asc", "desc"):
                found = pages(desk, SIGNALS, limit=3, sortDir=direction)
                assert len(found) == len(set(found))
                assert set(signals) <= set(found), direction
    finally:
        stop.set()
        thread.join(30)
    assert len(written) > 3, "there were writes meanwhile"


def _person(identity: str) -> dict[str, str]:
    return {"id": identity, "kind": "person", "displayName": "Ada"}


def _recorded(customer: str, call: str, signal: str, **scope: str) -> dict[str, Any]:
    data = {"id": signal, "interactionId": call, "kind": "risk", "title": "x"}
    return event("signal.record", customer, data, **scope)


def test_other_organizations_have_their_own_lists(desk: Desk, gateway: Gateway) -> None:
    for scope in ({"tenant": new_id(), "organization": ORGANIZATION}, {"organization": new_id()}):
        with gateway.client(**scope) as client:
            other: httpx2.Client = client
            assert other.get(SIGNALS).json() == other.get(DRAFTS).json() == {"items": []}
