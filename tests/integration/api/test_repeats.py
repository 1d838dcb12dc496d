"""Repeated and concurrent requests: repeats get the first response, and no change is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx2
import pytest

from runtime.settings import Settings
from schemas.instants import format_instant
from tests.harness.gateway import ALL_FEATURES, Gateway
from tests.harness.wire import event, new_id, outcomes

pytestmark = pytest.mark.integration
PEOPLE, COMPANIES, DEALS, INTERACTIONS, TYPES, FLAGS = (
    f"/api/customers/{name}"
    for name in ("people", "companies", "deals", "interactions", "interaction-types", "flags")
)
UNDO = "/api/audit_logs/audit-logs/actions/undo"


@pytest.fixture
def own(gateway: Gateway) -> Any:
    """A tenant for one test."""
    scope = {"tenant": new_id(), "organization": new_id()}
    with gateway.client(**scope, features=(*ALL_FEATURES, "customers.flags.manage")) as found:
        yield found


def made(client: httpx2.Client, path: str, **body: Any) -> str:
    answer = client.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_the_same_key_gets_the_first_response_on_every_route(own: httpx2.Client) -> None:
    """Even if the condition no longer holds and another request has changed the record in between."""
    person, company = made(own, PEOPLE, displayName="Ada"), made(own, COMPANIES, displayName="Mill")
    deal = made(own, DEALS, entityId=person, title="Roof")
    made(own, TYPES, interactionType="demo", label="Demo")
    flag = "customers.interactions.external-sync"
    writes: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        (PEOPLE, {"id": person, "primaryPhone": "1"}, {"displayName": "Eve"}),
        (COMPANIES, {"id": company, "primaryPhone": "1"}, {"displayName": "Mills"}),
        (DEALS, {"id": deal, "status": "won"}, {"title": "Roofs"}),
        (TYPES, {"interactionType": "demo", "label": "Demonstration"}, {"label": "D"}),
        (FLAGS, {"flag": flag, "enabled": True}, {"enabled": False}),
    ]
    for path, body, between in writes:
        key = {"Idempotency-Key": new_id()}
        if "id" in body:
            key["If-Match"] = own.get(f"{path}/{body['id']}").headers["etag"]
        first = own.put(path, json=body, headers=key)
        assert first.status_code == 200, first.text
        assert own.put(path, json={**body, **between}).status_code == 200
        again = own.put(path, json=body, headers=key)
        assert (again.status_code, again.json()) == (200, first.json()), path
        assert again.headers.get("etag") == first.headers.get("etag")
        assert own.put(path, json={**body, **between}, headers=key).status_code == 422, path
    assert own.get(f"{PEOPLE}/{person}").json()["person"]["displayName"] == "Eve"
    assert own.get(f"{DEALS}/{deal}").json()["title"] == "Roofs"


def test_an_undo_with_a_key_can_be_repeated(own: httpx2.Client) -> None:
    person = made(own, PEOPLE, displayName="Ada")
    call = made(own, INTERACTIONS, entityId=person, interactionType="call")
    header = own.post(f"{INTERACTIONS}/complete", json={"id": call}).headers["x-om-operation"]
    body = {"undoToken": json.loads(unquote(header.removeprefix("omop:")))["undoToken"]}
    key = {"Idempotency-Key": new_id()}
    first, second = (own.post(UNDO, json=body, headers=key) for _ in range(2))
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json()
    assert own.post(UNDO, json=body).status_code == 400, "another request takes back what is back already"


def test_a_key_with_a_slash_is_a_key_of_its_own(own: httpx2.Client) -> None:
    person = made(own, PEOPLE, displayName="Ada")
    create = {"entityId": person, "interactionType": "call"}
    made_by_it = own.post(INTERACTIONS, json=create, headers={"Idempotency-Key": "complete/42"})
    body = {"id": made_by_it.json()["id"]}
    done = own.post(f"{INTERACTIONS}/complete", json=body, headers={"Idempotency-Key": "42"})
    assert (made_by_it.status_code, done.status_code) == (201, 200), done.text


def _at_once(*calls: Callable[[], httpx2.Response]) -> list[int]:
    with ThreadPoolExecutor(len(calls)) as threads:
        return sorted(future.result().status_code for future in [threads.submit(call) for call in calls])


def test_of_two_concurrent_creates_one_succeeds(own: httpx2.Client) -> None:
    person, deal, customer = made(own, PEOPLE, displayName="Ada"), new_id(), new_id()
    for path, body in (
        (DEALS, {"id": deal, "entityId": person, "title": "Roof"}),
        (TYPES, {"interactionType": "demo"}),
        (PEOPLE, {"id": customer, "displayName": "Eve"}),
        (INTERACTIONS, {"id": new_id(), "entityId": person, "interactionType": "call"}),
    ):

        def post(path: str = path, body: dict[str, Any] = body) -> httpx2.Response:
            return own.post(path, json=body, headers={"Idempotency-Key": new_id()})

        assert _at_once(post, post, post) == [201, 409, 409], path


def test_a_deal_is_changed_by_version_and_never_renamed_back(own: httpx2.Client) -> None:
    person = made(own, PEOPLE, displayName="Ada")
    deal = made(own, DEALS, entityId=person, title="Roof")
    shown = own.get(f"{DEALS}/{deal}")
    assert (shown.headers["etag"], shown.json()["version"]) == ('"1"', 1)
    tag = {"If-Match": '"1"'}
    assert own.put(DEALS, json={"id": deal, "title": "Roofs"}, headers=tag).headers["etag"] == '"2"'
    assert own.put(DEALS, json={"id": deal, "title": "Late"}, headers=tag).status_code == 412
    assert own.put(DEALS, json={"id": deal, "status": "won"}).status_code == 200
    lock = {"x-om-ext-optimistic-lock-expected-updated-at": shown.json()["updatedAt"]}
    stale = own.put(DEALS, json={"id": deal, "status": "lost"}, headers=lock)
    assert (stale.status_code, stale.json()["code"]) == (409, "optimistic_lock_conflict")
    now = own.get(f"{DEALS}/{deal}").json()
    assert (now["title"], now["status"], now["version"]) == ("Roofs", "won", 3)


def test_a_superseded_write_is_reported(client: httpx2.Client, pipeline: Settings, customer: str) -> None:
    """A provider whose clock is ahead has changed the schedule: last write wins by source timestamp."""
    call = made(client, INTERACTIONS, entityId=customer, interactionType="call")
    ahead = format_instant(datetime.now(UTC) + timedelta(minutes=4))
    change = {"id": call, "scheduledAt": "2027-03-01T09:00:00Z", "sourceTimestamp": ahead}
    (result,) = outcomes(pipeline, [event("interaction.update", customer, change)])
    assert result["outcome"] == "applied"
    moved = {"id": call, "scheduledAt": "2027-04-01T09:00:00Z"}
    lost = client.put(INTERACTIONS, json=moved)
    assert (lost.status_code, lost.json()["code"]) == (409, "superseded")
    assert [error["pointer"] for error in lost.json()["errors"]] == ["/scheduledAt"]
    partly = client.put(INTERACTIONS, json={**moved, "priority": 7})
    assert (partly.status_code, partly.json()["ok"]) == (200, True)
    assert partly.json()["partial"] == ["scheduledAt"]
    now = client.get(f"{INTERACTIONS}/{call}").json()
    assert now["priority"] == 7
    assert now["scheduledAt"].startswith("2027-03-01T09:00:00")
