"""People, companies, deals, the dictionary, widgets and explanations (spec test list 6, 7, 8, 14, 16)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from runtime.settings import Settings
from tests.harness.gateway import ALL_FEATURES, Gateway, serving
from tests.harness.response_models import check_responses
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration
PEOPLE, COMPANIES, DEALS = ("/api/customers/" + name for name in ("people", "companies", "deals"))
INTERACTIONS, TYPES = "/api/customers/interactions", "/api/customers/interaction-types"
WIDGETS = "/api/customers/dashboard/widgets"
LOCK = "x-om-ext-optimistic-lock-expected-updated-at"


@pytest.fixture
def scope() -> dict[str, str]:
    """A tenant and an organization for one test."""
    return {"tenant": new_id(), "organization": new_id()}


@pytest.fixture
def own(gateway: Gateway, scope: dict[str, str]) -> Iterator[httpx2.Client]:
    """A client of that organization."""
    with gateway.client(**scope, features=ALL_FEATURES) as found:
        check_responses(found)
        yield found


def made(client: httpx2.Client, path: str, **body: Any) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.parametrize(
    ("path", "kind", "other"), [(PEOPLE, "person", COMPANIES), (COMPANIES, "company", PEOPLE)]
)
def test_a_customer_is_added_changed_and_shown(own: httpx2.Client, path: str, kind: str, other: str) -> None:
    identity = made(own, path, displayName="Ada", primaryEmail="ada@example.org", ownerUserId=new_id())
    shown = own.get(f"{path}/{identity}")
    assert shown.headers["etag"] == '"1"'
    found = shown.json()[kind]
    assert (found["displayName"], found["primaryEmail"], found["version"]) == ("Ada", "ada@example.org", 1)
    assert (found["nextInteractionAt"], found["openCount"]) == (None, 0)
    assert own.get(f"{other}/{identity}").status_code == 404
    # Omitted fields keep their value, including the name; null clears a field.
    answer = own.put(path, json={"id": identity, "primaryEmail": None, "primaryPhone": "+49 30 1"})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    found = own.get(f"{path}/{identity}").json()[kind]
    assert (found["displayName"], found["primaryEmail"], found["primaryPhone"]) == ("Ada", None, "+49 30 1")
    assert found["ownerUserId"] is not None
    assert own.put(other, json={"id": identity, "displayName": "x"}).status_code == 404
    again = own.post(path, json={"id": identity, "displayName": "Eve"})
    assert (again.status_code, again.json()["code"]) == (409, "entity_exists")
    assert own.get(f"{path}/{identity}").json()[kind]["displayName"] == "Ada"


def test_conditions_on_a_customer(own: httpx2.Client) -> None:
    identity = made(own, PEOPLE, displayName="Ada")
    body = {"id": identity, "displayName": "Ada L."}
    assert own.put(PEOPLE, json=body, headers={"If-Match": '"7"'}).status_code == 412
    assert own.put(PEOPLE, json=body, headers={"If-Match": '"1"'}).headers["etag"] == '"2"'
    person = own.get(f"{PEOPLE}/{identity}").json()["person"]
    stale = own.put(PEOPLE, json=body, headers={LOCK: "2020-01-01T00:00:00.000Z"})
    assert (stale.status_code, stale.json()["code"]) == (409, "optimistic_lock_conflict")
    assert stale.json()["currentUpdatedAt"] == person["updatedAt"]
    fresh = own.put(PEOPLE, json={"id": identity, "primaryPhone": "1"}, headers={LOCK: person["updatedAt"]})
    assert fresh.status_code == 200
    headers = {"Idempotency-Key": new_id()}
    first, second = (own.post(PEOPLE, json={"displayName": "Once"}, headers=headers) for _ in range(2))
    assert (first.status_code, first.json()) == (second.status_code, second.json()) == (201, first.json())


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (PEOPLE, {"displayName": ""}, "/displayName"),
        (PEOPLE, {"displayName": None}, "/displayName"),
        (PEOPLE, {}, "/displayName"),
        (PEOPLE, {"displayName": "x", "nextInteractionAt": "2027-01-01T00:00:00Z"}, "/nextInteractionAt"),
        (COMPANIES, {"displayName": "x", "kind": "person"}, "/kind"),
        (DEALS, {"entityId": "7", "title": "x"}, "/entityId"),
        (DEALS, {"entityId": "00000000-0000-4000-8000-000000000000"}, "/title"),
        (TYPES, {"interactionType": "!"}, "/interactionType"),
        (TYPES, {"interactionType": "x", "color": "red"}, "/color"),
        (TYPES, {"interactionType": "x", "actionable": "yes"}, "/actionable"),
        (TYPES, {"interactionType": "x", "strict": 1}, "/strict"),
    ],
)
def test_wrong_fields_are_named(own: httpx2.Client, path: str, body: dict[str, Any], pointer: str) -> None:
    answer = own.post(path, json=body)
    assert answer.status_code == 400, answer.text
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_the_list_sorts_by_next_interaction(own: httpx2.Client) -> None:
    now = datetime.now(UTC)
    people = {name: made(own, PEOPLE, displayName=name) for name in ("Late", "Soon", "Later", "Idle")}
    for name, days in (("Late", -1), ("Soon", 1), ("Later", 2)):
        when = (now + timedelta(days=days)).isoformat()
        made(own, INTERACTIONS, entityId=people[name], interactionType="call", scheduledAt=when)
    firm = made(own, COMPANIES, displayName="Firm")

    def names(**query: Any) -> list[str]:
        return [
            item["displayName"] for item in own.get(PEOPLE, params=query).raise_for_status().json()["items"]
        ]

    assert names() == ["Late", "Soon", "Later", "Idle"]
    assert names(sortDir="desc") == ["Later", "Soon", "Late", "Idle"]
    assert names(overdue=True) == ["Late"]
    assert names(hasNextInteraction=False) == ["Idle"]
    assert names(nextInteractionFrom=now.isoformat()) == ["Soon", "Later"]
    assert names(search="late") == ["Late", "Later"]
    assert [item["id"] for item in own.get(COMPANIES).json()["items"]] == [firm]
    paged: list[str] = []
    query: dict[str, Any] = {"limit": 1}
    while True:
        page = own.get(PEOPLE, params=query).json()
        paged += [item["displayName"] for item in page["items"]]
        if "nextCursor" not in page:
            break
        query["cursor"] = page["nextCursor"]
    assert paged == ["Late", "Soon", "Later", "Idle"]
    for wrong in ({"overdue": True}, {"sortDir": "desc"}, {"cursor": "x"}):
        answer = own.get(PEOPLE, params={**query, **wrong})
        assert (answer.status_code, answer.json()["error"]) == (400, "Invalid cursor")
    assert own.get(PEOPLE, params={"limit": 101}).status_code == 400
    assert own.get(PEOPLE, params={"sortField": "secret"}).status_code == 400

    widget = own.get(f"{WIDGETS}/next-interactions").json()
    assert [item["displayName"] for item in widget["items"]] == ["Late", "Soon", "Later"]
    assert list(widget["items"][0]) == [
        "id", "displayName", "kind", "organizationId", "nextInteractionAt", "nextInteractionName",
        "nextInteractionIcon", "nextInteractionColor", "ownerUserId",
    ]  # fmt: skip
    assert set(widget) == {"items", "now"}
    coming = own.get(f"{WIDGETS}/next-interactions", params={"includePast": False, "limit": 1}).json()
    assert [item["displayName"] for item in coming["items"]] == ["Soon"]
    assert own.get(f"{WIDGETS}/next-interactions", params={"limit": 21}).status_code == 400


def test_the_detail_shows_filtered_views(own: httpx2.Client) -> None:
    person = made(own, PEOPLE, displayName="Ada")
    deal = made(own, DEALS, entityId=person, title="Roof", status="open")
    call = made(own, INTERACTIONS, entityId=person, interactionType="call", dealId=deal, title="Ring")
    task = made(own, INTERACTIONS, entityId=person, interactionType="task", title="Do")
    note = made(own, INTERACTIONS, entityId=person, interactionType="note", occurredAt="2026-01-01T00:00:00Z")

    def detail(include: str) -> dict[str, set[str]]:
        answer = own.get(f"{PEOPLE}/{person}", params={"include": include}).raise_for_status().json()
        assert answer["interactionMode"] == "canonical"
        views = ("interactions", "activities", "todos", "deals")
        return {name: {item["id"] for item in answer[name]} for name in views}

    empty: dict[str, set[str]] = {"interactions": set(), "activities": set(), "todos": set(), "deals": set()}
    assert detail("") == empty
    assert detail("interactions") == {**empty, "interactions": {call, task, note}}
    assert detail("activities") == {**empty, "activities": {call, note}}
    assert detail("todos") == detail("tasks") == {**empty, "todos": {task, call}}
    assert detail("deals,tags") == {**empty, "deals": {deal}}
    everything = own.get(
        f"{PEOPLE}/{person}", params=[("include", "interactions, Activities"), ("include", "todos")]
    ).json()
    assert everything["counts"] == {"interactions": 3, "activities": 2, "todos": 2}
    shown = next(item for item in everything["interactions"] if item["id"] == call)
    listed = next(item for item in own.get(INTERACTIONS).json()["items"] if item["id"] == call)
    assert shown == listed
    assert shown["dealTitle"] == "Roof"
    todo = next(item for item in everything["todos"] if item["id"] == task)
    assert (todo["title"], todo["isDone"], todo["todoSource"]) == ("Do", False, "customers:interaction")


def test_the_todos_widget(own: httpx2.Client) -> None:
    person = made(own, PEOPLE, displayName="Ada", ownerUserId=(owner := new_id()))
    task = made(own, INTERACTIONS, entityId=person, interactionType="task", title="Do")
    made(own, INTERACTIONS, entityId=person, interactionType="note", title="No action")
    made(own, INTERACTIONS, entityId=person, interactionType="task", status="done")
    (item,) = own.get(f"{WIDGETS}/customer-todos").json()["items"]
    assert item == {
        "id": task,
        "todoId": task,
        "todoSource": "customers:interaction",
        "todoTitle": "Do",
        "createdAt": item["createdAt"],
        "organizationId": item["organizationId"],
        "entity": {"id": person, "displayName": "Ada", "kind": "person", "ownerUserId": owner},
    }


def test_deals(own: httpx2.Client) -> None:
    person, other = made(own, PEOPLE, displayName="Ada"), made(own, PEOPLE, displayName="Bob")
    first = made(own, DEALS, entityId=person, title="Roof 100%", status="open")
    second = made(own, DEALS, entityId=other, title="Wall")
    assert own.put(DEALS, json={"id": first, "status": None}).json() == {"ok": True}
    assert own.put(DEALS, json={"id": second, "title": "Walls"}).json() == {"ok": True}
    assert own.get(f"{DEALS}/{first}").json()["status"] is None
    assert own.get(f"{DEALS}/{first}").json()["title"] == "Roof 100%"
    page = own.get(DEALS, params={"limit": 1}).json()
    assert [item["title"] for item in page["items"]] == ["Walls"]
    rest = own.get(DEALS, params={"limit": 1, "cursor": page["nextCursor"]}).json()
    assert [item["id"] for item in rest["items"]] == [first]
    assert "nextCursor" not in rest
    assert [item["id"] for item in own.get(DEALS, params={"entityId": person}).json()["items"]] == [first]
    assert [item["id"] for item in own.get(DEALS, params={"search": "0%"}).json()["items"]] == [first]
    assert own.post(DEALS, json={"id": first, "entityId": person, "title": "x"}).status_code == 409
    assert own.post(DEALS, json={"entityId": new_id(), "title": "x"}).status_code == 404
    for path, body in ((DEALS, {"id": new_id(), "title": "x"}),):
        assert own.put(path, json=body).status_code == 404


def test_the_dictionary(own: httpx2.Client) -> None:
    shown = own.get(TYPES).json()
    assert {item["interactionType"] for item in shown["items"]} >= {"call", "task", "note"}
    assert shown["strict"] is False
    answer = own.post(TYPES, json={"interactionType": "Site visit", "label": "Visit!", "color": "#112233"})
    assert (answer.status_code, answer.json()) == (201, {"id": "site_visit"})
    assert own.post(TYPES, json={"interactionType": "site-visit"}).status_code == 409
    assert own.post(TYPES, json={"interactionType": "call"}).status_code == 409
    assert own.put(TYPES, json={"interactionType": "nothing", "label": "x"}).status_code == 404
    assert own.put(TYPES, json={"interactionType": "site_visit", "actionable": False}).json() == {"ok": True}
    item = next(i for i in own.get(TYPES).json()["items"] if i["interactionType"] == "site_visit")
    assert item == {
        "interactionType": "site_visit",
        "label": "Visit!",
        "icon": None,
        "color": "#112233",
        "actionable": False,
    }
    assert own.put(TYPES, json={"interactionType": "call", "strict": True}).json() == {"ok": True}
    assert own.get(TYPES).json()["strict"] is True


def test_the_next_interaction_is_explained(own: httpx2.Client) -> None:
    person = made(own, PEOPLE, displayName="Ada")

    def plan(when: str | None, priority: int | None = None) -> str:
        given = {"scheduledAt": when, "priority": priority}
        body = {name: value for name, value in given.items() if value is not None}
        return made(own, INTERACTIONS, entityId=person, interactionType="call", **body)

    later, plain, urgent = (
        plan("2027-03-02T09:00:00Z"), plan("2027-03-01T09:00:00Z"), plan("2027-03-01T09:00:00Z", 5)
    )  # fmt: skip
    last = plan("2027-03-02T09:00:00Z")
    plan(None)
    answers = [
        own.get(f"/api/customers/{name}/{person}/next-interaction/explain")
        for name in ("entities", "people", "companies")
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404]
    found = answers[0].json()
    assert answers[1].json() == found
    assert found["nextInteraction"]["interactionId"] == urgent
    reasons = [(item["interactionId"], item["wins"], item.get("decidedBy")) for item in found["candidates"]]
    assert reasons == [
        (urgent, True, None),
        (plain, False, "priority"),
        (later, False, "scheduledAt"),
        (last, False, "createdAt"),
    ]
    assert found["candidateCount"] == 4
    assert found["notCandidates"] == {"plannedWithoutSchedule": 1, "done": 0, "canceled": 0}


def test_rows_of_another_tenant_are_neither_visible_nor_writable(
    own: httpx2.Client, gateway: Gateway, scope: dict[str, str]
) -> None:
    person = made(own, PEOPLE, displayName="Ada")
    deal = made(own, DEALS, entityId=person, title="Roof")
    activity = made(own, "/api/customers/activities", entityId=person, activityType="call", subject="x")
    for foreign in ({**scope, "tenant": new_id()}, {**scope, "organization": new_id()}):
        with gateway.client(**foreign) as other:
            assert other.get(PEOPLE).json() == {"items": []}
            assert other.get(DEALS).json() == {"items": []}
            assert other.get("/api/customers/activities").json()["total"] == 0
            for widget in ("next-interactions", "customer-todos"):
                assert other.get(f"{WIDGETS}/{widget}").json()["items"] == []
            unknown = new_id()
            for path in (
                PEOPLE + "/{}",
                DEALS + "/{}",
                "/api/customers/entities/{}/next-interaction/explain",
            ):
                theirs, nobodys = other.get(path.format(person)), other.get(path.format(unknown))
                assert theirs.status_code == nobodys.status_code == 404
                assert theirs.content == nobodys.content
            for path, identity in ((PEOPLE, person), (DEALS, deal), ("/api/customers/activities", activity)):
                body = (
                    {"subject": "x"}
                    if "activities" in path
                    else {"title" if path == DEALS else "displayName": "x"}
                )
                theirs, nobodys = (other.put(path, json={"id": i, **body}) for i in (identity, unknown))
                assert theirs.status_code == nobodys.status_code == 404
                assert theirs.content == nobodys.content
            assert other.post(PEOPLE, json={"id": person, "displayName": "x"}).status_code == 409
    assert own.get(f"{PEOPLE}/{person}").json()["person"]["displayName"] == "Ada"


def test_few_statements_for_many_rows(pipeline: Settings) -> None:
    scope = {"tenant": new_id(), "organization": new_id()}
    person = new_id()
    messages = [event("entity.upsert", person, {"id": person, "kind": "person", "displayName": "A"}, **scope)]
    for number in range(110):
        identity = new_id()
        entry = {"id": identity, "kind": "person", "displayName": f"P{number}"}
        messages.append(event("entity.upsert", identity, entry, **scope))
        plan = {"interactionType": "call", "scheduledAt": f"2027-01-01T{number % 24:02}:00:00Z"}
        messages.append(event("interaction.create", identity, plan, **scope))
        messages.append(event("interaction.create", person, plan, **scope))
    assert {result["outcome"] for result in outcomes(pipeline, messages)} == {"applied"}
    budgets = {
        PEOPLE + "?limit=100": (3, 100),
        f"{PEOPLE}/{person}?include=interactions,activities,todos,deals": (5, 100),
        f"{WIDGETS}/next-interactions?limit=20": (2, 20),
        f"{WIDGETS}/customer-todos?limit=20": (2, 20),
        "/api/customers/activities?pageSize=100": (3, 100),
        "/api/customers/todos?pageSize=100": (3, 100),
        DEALS: (3, 0),
        TYPES: (3, 8),
        f"/api/customers/entities/{person}/next-interaction/explain?limit=100": (5, 100),
    }
    with (
        serving(pipeline, INTERACTIONS_API_SHOW_STATEMENTS="true") as gateway,
        gateway.client(**scope) as client,
    ):
        for path, (most, rows) in budgets.items():
            answer = client.get(path).raise_for_status()
            found = answer.json()
            items = found.get("items") or found.get("candidates") or found.get("interactions") or []
            assert len(items) == rows, path
            assert 1 <= int(answer.headers["x-statements"]) <= most, path
