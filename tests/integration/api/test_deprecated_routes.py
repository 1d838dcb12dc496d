"""Activities and todos as old clients know them, over interactions (spec test list 4, 5, 10)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from sinks.legacy_tables import LEGACY_TABLES, lift_freeze
from tests.harness.gateway import Gateway
from tests.harness.legacy import plant
from tests.harness.response_models import check_responses
from tests.harness.roles import wait_until
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration
ACTIVITIES, TODOS = "/api/customers/activities", "/api/customers/todos"
UNDO = "/api/audit_logs/audit-logs/actions/undo"
LOCK = "x-om-ext-optimistic-lock-expected-updated-at"
ADAPTERS = "customers.interactions.legacy-adapters"


def one(client: httpx2.Client, path: str, identity: str, **query: Any) -> dict[str, Any] | None:
    """The item of the list with this id. It must occur once."""
    items = client.get(path, params={"pageSize": 100, **query}).raise_for_status().json()["items"]
    found = [item for item in items if item["id"] == identity]
    assert len(found) < 2
    return found[0] if found else None


def row(settings: Settings, identity: str) -> dict[str, Any] | None:
    with connect(settings, application_name="tests") as connection:
        cursor = connection.execute(
            "SELECT status, source, title, interaction_type, version, priority FROM customer_interactions"
            " WHERE id = %s",
            (identity,),
        )
        found = cursor.fetchone()
        assert cursor.description
        return (
            dict(zip([column.name for column in cursor.description], found, strict=True)) if found else None
        )


def legacy_counts(settings: Settings) -> list[int]:
    with connect(settings, application_name="tests") as connection:
        return [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in LEGACY_TABLES]  # type: ignore[index]


def test_the_life_of_an_activity(client: httpx2.Client, pipeline: Settings, customer: str) -> None:
    check_responses(client)
    made = client.post(
        ACTIVITIES,
        json={
            "entityId": customer,
            "activityType": "Call",
            "subject": "Hi",
            "occurredAt": "2026-03-01T09:00:00Z",
        },
    )
    assert made.status_code == 201, made.text
    assert list(made.json()) == ["id"]
    identity = made.json()["id"]
    item = one(client, ACTIVITIES, identity, entityId=customer)
    assert item is not None
    assert item == {
        "id": identity, "activityType": "call", "subject": "Hi", "body": None,
        "occurredAt": "2026-03-01T09:00:00.000Z", "createdAt": item["createdAt"], "appearanceIcon": None,
        "appearanceColor": None, "entityId": customer, "authorUserId": "33333333-3333-4333-8333-333333333333",
        "authorName": None, "authorEmail": None, "dealId": None, "dealTitle": None, "customValues": None,
        "activityTypeLabel": "Call",
    }  # fmt: skip
    found = row(pipeline, identity)
    assert found is not None
    assert (found["status"], found["source"]) == ("done", "adapter:activity")
    assert one(client, TODOS, identity) is None
    # An item that is sent back unchanged changes nothing.
    names = ("id", "entityId", "activityType", "subject", "body", "occurredAt", "dealId", "authorUserId")
    answer = client.put(ACTIVITIES, json={name: item[name] for name in names})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert row(pipeline, identity) == found
    answer = client.put(ACTIVITIES, json={"id": identity, "subject": "Ho", "occurredAt": None})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    changed = row(pipeline, identity)
    assert changed is not None
    assert (changed["status"], changed["title"]) == ("planned", "Ho")
    removed = client.request("DELETE", ACTIVITIES, json={"id": identity})
    assert (removed.status_code, removed.json()) == (200, {"ok": True})
    assert row(pipeline, identity) is None
    token = json.loads(unquote(removed.headers["x-om-operation"].removeprefix("omop:")))["undoToken"]
    assert client.post(UNDO, json={"undoToken": token}).status_code == 200
    assert row(pipeline, identity) is not None
    assert client.delete(ACTIVITIES, params={"id": identity}).json() == {"ok": True}
    gone = client.delete(ACTIVITIES, params={"id": identity})
    assert (gone.status_code, gone.json()["error"]) == (404, "Activity not found")


def test_the_life_of_a_todo(client: httpx2.Client, pipeline: Settings, customer: str) -> None:
    check_responses(client)
    made = client.post(
        TODOS,
        json={
            "entityId": customer,
            "title": "Send the offer",
            "todoSource": "example:todo",
            "todoCustom": {"priority": 30, "due_at": "2027-03-01T09:00:00Z", "description": "by mail"},
        },
    )
    assert made.status_code == 201, made.text
    assert list(made.json()) == ["linkId", "todoId"]
    identity = made.json()["linkId"]
    assert identity == made.json()["todoId"]
    item = one(client, TODOS, identity, entityId=customer, search="offer")
    assert item is not None
    assert item["customer"] == {"id": customer, "displayName": "Erika Mustermann", "kind": "person"}
    assert item["todoSource"] == "customers:interaction"
    assert (item["todoTitle"], item["todoIsDone"], item["todoPriority"]) == ("Send the offer", False, 30)
    assert (item["todoDueAt"], item["todoDescription"]) == ("2027-03-01T09:00:00.000Z", "by mail")
    assert one(client, ACTIVITIES, identity) is None
    assert row(pipeline, identity)["source"] == "adapter:todo"  # type: ignore[index]
    for body, status in (
        ({"isDone": True}, "done"),
        ({"is_done": False}, "planned"),
        ({"isDone": True}, "done"),
    ):
        answer = client.put(TODOS, json={"id": identity, "title": "Send the offer", **body})
        assert (answer.status_code, answer.json()) == (200, {"ok": True})
        assert row(pipeline, identity)["status"] == status  # type: ignore[index]
    assert one(client, TODOS, identity)["todoIsDone"] is True  # type: ignore[index]
    assert client.request("DELETE", TODOS, json={"id": identity, "todoId": identity}).json() == {"ok": True}
    assert row(pipeline, identity) is None


def test_fields_and_status_change_together_or_not_at_all(
    client: httpx2.Client, pipeline: Settings, customer: str
) -> None:
    identity = client.post(ACTIVITIES, json={"entityId": customer, "activityType": "call"}).json()["id"]
    before = row(pipeline, identity)
    body = {"id": identity, "subject": "Both", "occurredAt": "2026-03-01"}
    refused = client.put(ACTIVITIES, json={**body, "dealId": new_id()})
    assert (refused.status_code, refused.json()["code"]) == (404, "deal_not_found")
    assert row(pipeline, identity) == before
    taken = client.put(ACTIVITIES, json=body)
    after = row(pipeline, identity)
    assert taken.status_code == 200
    assert after is not None
    assert (after["status"], after["title"], after["version"]) == ("done", "Both", 2)
    token = json.loads(unquote(taken.headers["x-om-operation"].removeprefix("omop:")))["undoToken"]
    assert client.post(UNDO, json={"undoToken": token}).status_code == 200
    undone = row(pipeline, identity)
    assert undone is not None
    assert (undone["status"], undone["title"]) == ("planned", None)


def test_bodies_of_old_clients_are_accepted(client: httpx2.Client, customer: str) -> None:
    check_responses(client)
    for when in ("2026-03-01", 1772323200000, "Sun, 01 Mar 2026 00:00:00 GMT"):
        body = {"entityId": customer, "activityType": "call", "occurredAt": when, "customValues": None}
        identity = client.post(ACTIVITIES, json=body).raise_for_status().json()["id"]
        item = one(client, ACTIVITIES, identity, entityId=customer)
        assert item is not None
        assert item["occurredAt"] == "2026-03-01T00:00:00.000Z"
        assert client.put(ACTIVITIES, json=item).status_code == 200
    made = client.post(TODOS, json={"entityId": customer, "title": "Old", "customValues": {"priority": 9}})
    link = made.raise_for_status().json()["linkId"]
    changed = {"linkId": link, "id": new_id(), "customValues": {"due_at": "2027-03-01"}}
    assert client.put(TODOS, json=changed).status_code == 200
    shown = one(client, TODOS, link, entityId=customer, all="", search="  ")
    assert shown is not None
    assert (shown["todoPriority"], shown["todoDueAt"]) == (9, "2027-03-01T00:00:00.000Z")
    assert client.put(TODOS, json={**shown, "isDone": True}).status_code == 200
    page = client.get(TODOS, params={"all": "true", "entityId": customer}).json()
    assert (page["page"], page["totalPages"], page["pageSize"]) == (1, 1, len(page["items"]))
    for path in (ACTIVITIES, TODOS):
        empty = client.get(path, params={"entityId": new_id()}).json()
        assert (empty["items"], empty["total"], empty["totalPages"]) == ([], 0, 1)
    assert client.request("DELETE", TODOS, json={"linkId": link, "todoId": new_id()}).status_code == 200


def test_a_change_can_be_conditional(client: httpx2.Client, pipeline: Settings, customer: str) -> None:
    identity = client.post(TODOS, json={"entityId": customer, "title": "Bound"}).json()["linkId"]
    body = {"id": identity, "title": "Bound!", "isDone": True}
    read_at = one(client, TODOS, identity)["todoUpdatedAt"]  # type: ignore[index]
    stale = client.put(TODOS, json=body, headers={LOCK: "2020-01-01T00:00:00.000Z"})
    assert (stale.status_code, stale.json()["code"]) == (409, "optimistic_lock_conflict")
    assert stale.json()["currentUpdatedAt"][:23] == read_at[:23]
    assert client.put(TODOS, json=body, headers={"If-Match": '"9"'}).status_code == 412
    assert row(pipeline, identity)["version"] == 1  # type: ignore[index]
    # Fields and status are one change.
    assert client.put(TODOS, json=body, headers={LOCK: read_at}).status_code == 200
    assert row(pipeline, identity)["version"] == 2  # type: ignore[index]
    assert client.delete(TODOS, params={"id": identity}, headers={LOCK: read_at}).status_code == 409
    gone = client.delete(TODOS, params={"id": new_id()}, headers={LOCK: read_at})
    assert (gone.status_code, gone.json()["error"]) == (409, "record_modified")
    assert client.delete(TODOS, params={"id": identity}, headers={"If-Match": '"2"'}).status_code == 200


def test_a_post_with_a_key_is_executed_once(client: httpx2.Client, customer: str) -> None:
    body = {"entityId": customer, "title": "Once"}
    headers = {"Idempotency-Key": new_id()}
    first, second = (client.post(TODOS, json=body, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (second.status_code, second.json())
    other = client.post(TODOS, json={**body, "title": "Twice"}, headers=headers)
    assert other.status_code == 422


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (ACTIVITIES, {"activityType": "call", "surprise": 1}, "/surprise"),
        (ACTIVITIES, {"activityType": ""}, "/activityType"),
        (ACTIVITIES, {"activityType": "call", "subject": "x" * 201}, "/subject"),
        (ACTIVITIES, {"activityType": "call", "customFields": {"x": 1}}, "/customFields"),
        (TODOS, {"title": ""}, "/title"),
        (TODOS, {"title": "x", "todoCustom": {"mood": "good"}}, "/todoCustom/mood"),
        (TODOS, {"title": "x", "todoSource": "x" * 121}, "/todoSource"),
    ],
)
def test_wrong_fields_are_named(
    client: httpx2.Client, customer: str, path: str, body: dict[str, Any], pointer: str
) -> None:
    answer = client.post(path, json={"entityId": customer, **body})
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert answer.json()["error"] == "Validation failed"
    assert "sunset" in answer.headers


def test_another_tenant_in_the_body_is_refused(client: httpx2.Client, customer: str) -> None:
    answer = client.post(TODOS, json={"entityId": customer, "title": "x", "tenantId": new_id()})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", [ACTIVITIES, TODOS])
def test_every_answer_says_that_the_route_is_deprecated(
    gateway: Gateway, client: httpx2.Client, path: str
) -> None:
    with gateway.client(bearer="") as nobody, gateway.client(features=["x"]) as powerless:
        answers = [
            client.get(path),
            client.post(path, json={}),
            client.put(path, json={"id": new_id(), "title": "x", "subject": "x"}),
            client.delete(path, params={"id": new_id()}),
            client.post(path, content=b"{", headers={"content-type": "application/json"}),
            client.patch(path),
            client.post(path, content=b"x" * 300_000),
            nobody.get(path),
            powerless.get(path),
        ]
    assert [answer.status_code for answer in answers][:3] == [200, 400, 400]
    assert {answer.status_code for answer in answers} >= {200, 400, 401, 403, 404, 405, 413}
    for answer in answers:
        deprecated_at = int(answer.headers["deprecation"].removeprefix("@"))
        assert answer.headers["deprecation"] == f"@{deprecated_at}"
        sunset = parsedate_to_datetime(answer.headers["sunset"])
        assert answer.headers["sunset"] == sunset.strftime("%a, %d %b %Y %H:%M:%S GMT")
        assert sunset >= datetime.fromtimestamp(deprecated_at, UTC)
        assert 'rel="deprecation"' in answer.headers["link"]
        assert '</api/customers/interactions>; rel="successor-version"' in answer.headers["link"]
        with gateway.client(bearer="") as nobody:
            page = nobody.get(answer.headers["link"].partition(">")[0].removeprefix("<"))
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "POST /api/customers/interactions" in page.text
    assert "deprecation" not in client.get("/api/customers/people").headers


@pytest.fixture
def of_another_tenant(gateway: Gateway) -> Iterator[tuple[httpx2.Client, str, str]]:
    """A client of a new tenant, with its tenant and organization."""
    tenant, organization = new_id(), new_id()
    features = ["customers.*"]
    with gateway.client(tenant=tenant, organization=organization, features=features) as found:
        check_responses(found)
        yield found, tenant, organization


def test_a_flag_switches_the_routes_off(of_another_tenant: tuple[httpx2.Client, str, str]) -> None:
    client, _, _ = of_another_tenant
    flags = "/api/customers/flags"
    assert client.put(flags, json={"flag": ADAPTERS.replace("-", "_"), "enabled": False}).json() == {
        "ok": True
    }
    for path in (ACTIVITIES, TODOS):
        for answer in (
            client.get(path),
            client.delete(path, params={"id": new_id()}),
            client.put(path, json={"id": new_id()}),
        ):
            assert answer.status_code == 410, answer.text
            assert answer.json()["error"]
            assert answer.headers["deprecation"].startswith("@")
            assert "sunset" in answer.headers
    shown = {item["flag"]: item for item in client.get(flags).json()["items"]}
    assert shown[ADAPTERS] == {"flag": ADAPTERS, "enabled": False, "chosen": True}
    assert client.put(flags, json={"flag": ADAPTERS, "enabled": True}).json() == {"ok": True}
    assert client.get(ACTIVITIES).status_code == 200
    answer = client.put(flags, json={"flag": "customers.interactions.nope", "enabled": True})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/flag")


def test_a_flag_set_elsewhere_is_seen_within_seconds(
    of_another_tenant: tuple[httpx2.Client, str, str], pipeline: Settings
) -> None:
    client, tenant, organization = of_another_tenant
    assert client.get(TODOS).status_code == 200  # known now, and kept
    message = event(
        "feature_flag.set",
        tenant,
        {"flag": ADAPTERS, "enabled": False},
        tenant=tenant,
        organization=organization,
    )
    (result,) = outcomes(pipeline, [message])
    assert result["outcome"] == "applied"
    wait_until(lambda: client.get(TODOS).status_code == 410, 2.0, lambda: "the flag is seen")


def test_legacy_rows_show_until_moved_and_a_write_moves_them_once(
    of_another_tenant: tuple[httpx2.Client, str, str], pipeline: Settings
) -> None:
    client, tenant, organization = of_another_tenant
    customer = client.post("/api/customers/people", json={"displayName": "Otto"}).json()["id"]
    kept, edited, removed, link, linked = (new_id() for _ in range(5))
    with connect(pipeline, application_name="tests") as connection:
        lift_freeze(connection)
        for identity in (kept, edited, removed):
            connection.execute(
                "INSERT INTO customer_activities (id, organization_id, tenant_id, entity_id, activity_type,"
                " subject, occurred_at, created_at, updated_at)"
                " VALUES (%s, %s, %s, %s, 'Site visit', 'Old', '2025-01-01T10:00Z', now(), now())",
                (identity, organization, tenant, customer),
            )
        connection.execute(
            "INSERT INTO customer_todo_links VALUES (%s, %s, %s, %s, %s, 'example:todo', now())",
            (link, organization, tenant, customer, linked),
        )
    before = legacy_counts(pipeline)
    # "unified" was on for a tenant without legacy rows, and this process may have cached that.
    wait_until(lambda: one(client, ACTIVITIES, kept) is not None, 4.0, lambda: "the legacy row shows")
    shown = client.get(ACTIVITIES, params={"activityType": "Site visit"}).json()
    assert {item["id"] for item in shown["items"]} == {kept, edited, removed}
    assert shown["total"] == 3
    todo = one(client, TODOS, link)
    assert todo is not None
    assert (todo["todoId"], todo["todoSource"], todo["todoIsDone"]) == (linked, "example:todo", None)
    detail = client.get(
        f"/api/customers/people/{customer}", params={"include": "activities,tasks,interactions"}
    )
    assert detail.json()["interactionMode"] == "legacy"
    assert {item["id"] for item in detail.json()["activities"]} == {kept, edited, removed}
    assert {item["id"] for item in detail.json()["todos"]} == {link}
    assert {item["id"] for item in detail.json()["interactions"]} == {kept, edited, removed, link}
    widget = client.get("/api/customers/dashboard/widgets/customer-todos").json()["items"]
    assert [item["id"] for item in widget] == [link]

    assert client.put(ACTIVITIES, json={"id": edited, "subject": "New"}).json() == {"ok": True}
    moved = row(pipeline, edited)
    assert moved is not None
    assert (moved["source"], moved["title"], moved["status"]) == ("migration:activity", "New", "done")
    assert moved["interaction_type"] == "site_visit"
    item = one(client, ACTIVITIES, edited)
    assert item is not None
    assert (item["subject"], item["occurredAt"]) == ("New", "2025-01-01T10:00:00.000Z")
    assert client.delete(ACTIVITIES, params={"id": removed}).json() == {"ok": True}
    assert one(client, ACTIVITIES, removed) is None
    assert client.put(TODOS, json={"id": linked, "isDone": True}).json() == {"ok": True}
    todo = one(client, TODOS, link)
    assert todo is not None
    assert (todo["todoIsDone"], todo["todoTitle"]) == (True, "Task from example:todo")
    assert row(pipeline, link)["source"] == "migration:todo_link"  # type: ignore[index]
    # Again under either id: the row is not moved twice.
    for identity in (link, linked):
        assert client.put(TODOS, json={"id": identity, "title": "Known now"}).json() == {"ok": True}
    assert row(pipeline, linked) is None
    assert legacy_counts(pipeline) == before


def test_a_legacy_row_outside_the_limits_is_changed_and_deleted_like_any_other(
    of_another_tenant: tuple[httpx2.Client, str, str], pipeline: Settings
) -> None:
    client, tenant, organization = of_another_tenant
    customer = client.post("/api/customers/people", json={"displayName": "Otto"}).json()["id"]
    (foreign,) = outcomes(
        pipeline,
        [event("entity.upsert", taken := new_id(), {"id": taken, "kind": "person", "displayName": "Eve"})],
    )
    assert foreign["outcome"] == "applied"
    rows = {
        "out of limits": (customer, new_id(), "Call / Email", "s" * 600, "b" * 12_000, "red", "2025-01-01Z"),
        "unknown customer": (new_id(), None, "call", "Old", None, "#abc", "infinity"),
        "customer of another tenant": (taken, None, "call", "Old", None, None, None),
    }
    ids = {name: new_id() for name in rows}
    with connect(pipeline, application_name="tests") as connection:
        lift_freeze(connection)
        for name, (entity, deal, kind, subject, body, color, occurred_at) in rows.items():
            connection.execute(
                "INSERT INTO customer_activities (id, organization_id, tenant_id, entity_id, deal_id,"
                " activity_type, subject, body, appearance_color, occurred_at, created_at, updated_at)"
                " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '2024-05-01T10:00:00.25Z', now())",
                (ids[name], organization, tenant, entity, deal, kind, subject, body, color, occurred_at),
            )
    first = ids["out of limits"]
    wait_until(lambda: one(client, ACTIVITIES, first) is not None, 4.0, lambda: "the legacy row shows")
    for identity in ids.values():
        answer = client.put(ACTIVITIES, json={"id": identity, "authorUserId": None, "appearanceIcon": "star"})
        assert answer.status_code == 200, answer.text
        item = one(client, ACTIVITIES, identity)
        assert item is not None
        assert (item["createdAt"], item["appearanceIcon"]) == ("2024-05-01T10:00:00.250Z", "star")
    item = one(client, ACTIVITIES, first)
    assert item is not None
    assert (item["activityType"], item["appearanceColor"], item["dealId"]) == ("call_email", None, None)
    assert (len(item["subject"]), len(item["body"])) == (500, 10_000)
    unknown = one(client, ACTIVITIES, ids["unknown customer"])
    assert unknown is not None
    entity = rows["unknown customer"][0]
    assert (unknown["entityId"], unknown["appearanceColor"]) == (entity, "#aabbcc")
    person = client.get(f"/api/customers/people/{entity}").json()["person"]
    assert person["displayName"] == f"Unknown customer {str(entity)[:8]}"
    other = one(client, ACTIVITIES, ids["customer of another tenant"])
    assert other is not None
    assert other["entityId"] != taken
    for identity in ids.values():
        assert client.delete(ACTIVITIES, params={"id": identity}).status_code == 200
        assert one(client, ACTIVITIES, identity) is None


def test_imported_rows_show_what_is_known_and_move_like_in_the_backfill(
    of_another_tenant: tuple[httpx2.Client, str, str], pipeline: Settings
) -> None:
    client, tenant, organization = of_another_tenant
    customers = [
        client.post("/api/customers/people", json={"displayName": name}).json()["id"]
        for name in ("Otto", "Ida")
    ]
    scope = {"tenant_id": tenant, "organization_id": organization}
    todo, call = new_id(), new_id()
    first, repeated = sorted((new_id(), new_id()))
    plant(pipeline, "legacy_todos", **scope, id=todo, title="Send it", due_at="2027-03-01T09:00:00Z",
          priority="high", description="by mail")  # fmt: skip
    for link in (first, repeated):
        plant(pipeline, "customer_todo_links", **scope, id=link, entity_id=customers[0], todo_id=todo)
    shared = plant(pipeline, "customer_todo_links", **scope, entity_id=customers[1], todo_id=todo)
    plant(pipeline, "legacy_interactions", **scope, id=call, entity_id=customers[0], title="Newer",
          status="completed", occurred_at="2025-01-01T10:00:00Z")  # fmt: skip
    plant(pipeline, "customer_activities", **scope, id=call, entity_id=customers[0], subject="Older")
    wait_until(lambda: one(client, TODOS, first) is not None, 4.0, lambda: "the legacy rows show")
    items = client.get(TODOS).json()["items"]
    assert sorted(item["id"] for item in items) == sorted([first, shared])
    item = one(client, TODOS, first)
    assert item is not None
    assert (item["todoTitle"], item["todoIsDone"], item["todoDescription"]) == ("Send it", False, "by mail")
    assert item["todoDueAt"] == "2027-03-01T09:00:00.000Z"
    activity = one(client, ACTIVITIES, call)
    assert activity is not None
    assert activity["subject"] == "Newer"

    # By the id of the repeated link, and once more by that of the todo.
    assert client.put(TODOS, json={"id": repeated, "title": "Sent"}).json() == {"ok": True}
    moved = row(pipeline, first)
    assert moved is not None
    assert (moved["title"], moved["priority"], moved["source"]) == ("Sent", 75, "migration:todo_link")
    assert row(pipeline, repeated) is None
    assert client.put(TODOS, json={"id": repeated, "isDone": True}).json() == {"ok": True}
    assert row(pipeline, first)["status"] == "done"  # type: ignore[index]
    assert row(pipeline, shared) is None
    assert client.put(ACTIVITIES, json={"id": call, "body": "Noted"}).json() == {"ok": True}
    moved = row(pipeline, call)
    assert moved is not None
    assert (moved["title"], moved["status"], moved["source"]) == ("Newer", "done", "migration:interaction")


def test_only_a_migrator_creates_interactions_of_the_past(gateway: Gateway, customer: str) -> None:
    body = {"entityId": customer, "interactionType": "call", "source": "migration:crm"}
    with gateway.client() as ordinary, gateway.client(features=["customers.*"]) as migrator:
        refused = ordinary.post("/api/customers/interactions", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "missing_feature")
        assert migrator.post("/api/customers/interactions", json=body).status_code == 201
