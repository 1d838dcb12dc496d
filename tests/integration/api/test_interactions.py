"""The canonical routes over real servers: no success without a row, and exact conventions."""

from __future__ import annotations

import json
from urllib.parse import quote, unquote

import httpx2
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from tests.harness.wire import new_id

pytestmark = pytest.mark.integration
PATH = "/api/customers/interactions"
UNDO = "/api/audit_logs/audit-logs/actions/undo"


def _create(client: httpx2.Client, customer: str, **fields: object) -> httpx2.Response:
    body = {"entityId": customer, "interactionType": "call", **fields}
    answer = client.post(PATH, json=body)
    assert answer.status_code == 201, answer.text
    return answer


def _row(settings: Settings, identity: str) -> tuple[object, ...] | None:
    with connect(settings, application_name="tests") as connection:
        return connection.execute(
            "SELECT status, version, title, author_user_id::text, source"
            " FROM customer_interactions WHERE id = %s",
            (identity,),
        ).fetchone()


def test_a_life_over_http(client: httpx2.Client, pipeline: Settings, customer: str) -> None:
    made = _create(client, customer, title="Ring back", scheduledAt="2027-01-04T09:00:00+01:00")
    identity = made.json()["id"]
    assert made.json() == {"id": identity}
    assert made.headers["etag"] == '"1"'
    assert _row(pipeline, identity) == (
        "planned", 1, "Ring back", "33333333-3333-4333-8333-333333333333", "manual",
    )  # fmt: skip
    shown = client.get(f"{PATH}/{identity}")
    assert shown.headers["etag"] == '"1"'
    assert shown.json()["scheduledAt"] == "2027-01-04T08:00:00.000Z"
    changed = client.put(PATH, json={"id": identity, "title": None, "priority": 50})
    assert (changed.status_code, changed.json()) == (200, {"ok": True})
    done = client.post(f"{PATH}/complete", json={"id": identity, "occurredAt": "2027-01-04T08:30:00Z"})
    assert (done.status_code, done.json()) == (200, {"ok": True})
    again = client.post(f"{PATH}/complete", json={"id": identity})
    assert (again.status_code, again.json()["code"]) == (409, "already_done")
    assert again.headers["content-type"] == "application/problem+json"
    assert again.json()["error"] == again.json()["detail"]
    assert client.post(f"{PATH}/reopen", json={"id": identity}).json() == {"ok": True}
    assert client.post(f"{PATH}/cancel", json={"id": identity}).json() == {"ok": True}
    assert _row(pipeline, identity)[:2] == ("canceled", 5)  # type: ignore[index]
    removed = client.delete(PATH, params={"id": identity})
    assert (removed.status_code, removed.json()) == (200, {"ok": True})
    assert _row(pipeline, identity) is None
    assert client.get(f"{PATH}/{identity}").status_code == 404
    assert client.delete(PATH, params={"id": identity}).status_code == 404


def test_undo_by_the_header_of_a_write(client: httpx2.Client, pipeline: Settings, customer: str) -> None:
    identity = _create(client, customer, title="Grüße & co.").json()["id"]
    done = client.post(f"{PATH}/complete", json={"id": identity})
    header = done.headers["x-om-operation"]
    assert header.startswith("omop:%7B")
    operation = json.loads(unquote(header.removeprefix("omop:")))
    assert set(operation) == {
        "id", "undoToken", "commandId", "actionLabel", "resourceKind", "resourceId", "executedAt",
    }  # fmt: skip
    assert header == "omop:" + quote(json.dumps(operation, separators=(",", ":")), safe="-_.!~*'()")
    assert operation["resourceId"] == identity
    back = client.post(UNDO, json={"undoToken": operation["undoToken"]})
    assert back.status_code == 200
    assert back.json()["ok"] is True
    assert _row(pipeline, identity)[0] == "planned"  # type: ignore[index]
    redo = json.loads(unquote(back.headers["x-om-operation"].removeprefix("omop:")))["undoToken"]
    assert redo != operation["undoToken"]
    assert client.post(UNDO, json={"undoToken": redo}).status_code == 200
    assert _row(pipeline, identity)[0] == "done"  # type: ignore[index]
    refusals = [client.post(UNDO, json={"undoToken": text}) for text in (redo, "u.bm9uZQ", "nonsense")]
    assert {answer.status_code for answer in refusals} == {400}
    assert len({answer.content for answer in refusals}) == 1, "the response must not reveal what exists"
    assert refusals[0].json()["error"] == "Undo token not available"


def test_undoing_the_write_of_another_user_needs_the_tenant_feature(
    gateway: object, client: httpx2.Client, customer: str
) -> None:
    header = _create(client, customer).headers["x-om-operation"]
    undo_token = json.loads(unquote(header.removeprefix("omop:")))["undoToken"]
    other = new_id()
    with gateway.client(user=other, features=["audit_logs.undo_self"]) as self_only:  # type: ignore[attr-defined]
        assert self_only.post(UNDO, json={"undoToken": undo_token}).status_code == 400
    with gateway.client(user=other, features=["audit_logs.undo_tenant"]) as tenant:  # type: ignore[attr-defined]
        assert tenant.post(UNDO, json={"undoToken": undo_token}).status_code == 200


@pytest.mark.parametrize(
    ("fields", "pointer", "code"),
    [
        ({"surprise": 1}, "/surprise", "unknown_field"),
        ({"title": "x" * 501}, "/title", "too_long"),
        ({"interactionType": None}, "/interactionType", "invalid_type"),
        ({"scheduledAt": "tomorrow"}, "/scheduledAt", "invalid_value"),
        ({"priority": 101}, "/priority", "out_of_range"),
        ({"appearanceColor": "red"}, "/appearanceColor", "invalid_format"),
        ({"entityId": "me"}, "/entityId", "invalid_format"),
        ({"dealId": "99999999-9999-4999-8999-999999999999"}, "/dealId", "deal_not_found"),
    ],
)
def test_a_wrong_field_is_named(
    client: httpx2.Client, customer: str, fields: dict[str, object], pointer: str, code: str
) -> None:
    answer = client.post(PATH, json={"entityId": customer, "interactionType": "call", **fields})
    assert answer.status_code == (404 if code == "deal_not_found" else 400)
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == (pointer, code)
    if answer.status_code == 400:
        assert answer.json()["error"] == "Validation failed"
        assert answer.json()["details"][0]["path"] == [pointer.removeprefix("/")]


def test_an_unknown_customer(client: httpx2.Client) -> None:
    answer = client.post(PATH, json={"entityId": new_id(), "interactionType": "call"})
    assert (answer.status_code, answer.json()["code"]) == (404, "entity_not_found")


def test_if_match_and_the_old_lock_are_atomic(client: httpx2.Client, customer: str) -> None:
    identity = _create(client, customer).json()["id"]
    seen = client.get(f"{PATH}/{identity}").json()["updatedAt"]
    good = client.put(PATH, json={"id": identity, "title": "a"}, headers={"If-Match": '"1"'})
    assert (good.status_code, good.headers["etag"]) == (200, '"2"')
    stale = client.put(PATH, json={"id": identity, "title": "b"}, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    weak = client.put(PATH, json={"id": identity, "title": "b"}, headers={"If-Match": 'W/"2"'})
    assert weak.status_code == 412
    now = client.get(f"{PATH}/{identity}").json()
    lock = "x-om-ext-optimistic-lock-expected-updated-at"
    refused = client.put(PATH, json={"id": identity, "title": "c"}, headers={lock: seen})
    assert refused.status_code == 409
    body = refused.json()
    assert (body["error"], body["code"]) == ("record_modified", "optimistic_lock_conflict")
    assert (body["expectedUpdatedAt"], body["currentUpdatedAt"]) == (seen, now["updatedAt"])
    taken = client.put(PATH, json={"id": identity, "title": "c"}, headers={lock: now["updatedAt"]})
    assert taken.status_code == 200
    gone = client.put(PATH, json={"id": new_id(), "title": "c"}, headers={lock: seen})
    assert (gone.status_code, gone.json()["currentUpdatedAt"]) == (409, None)


def test_an_idempotency_key(client: httpx2.Client, pipeline: Settings, customer: str) -> None:
    key = {"Idempotency-Key": f'"{new_id()}"'}
    body = {"entityId": customer, "interactionType": "call", "title": "once"}
    first = client.post(PATH, json=body, headers=key)
    bare = {"Idempotency-Key": key["Idempotency-Key"].strip('"')}
    second = client.post(PATH, json=body, headers=bare)
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["x-om-operation"] == first.headers["x-om-operation"]
    other = client.post(PATH, json={**body, "title": "twice"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    identity = first.json()["id"]
    removal = {"Idempotency-Key": new_id(), "If-Match": '"1"'}
    removed = client.delete(PATH, params={"id": identity}, headers=removal)
    assert removed.status_code == 200
    repeated = client.delete(PATH, params={"id": identity}, headers=removal)
    assert (repeated.status_code, repeated.content) == (200, removed.content), "the first result, not 404"


def test_the_status_of_a_command(client: httpx2.Client, customer: str) -> None:
    operation = json.loads(unquote(_create(client, customer).headers["x-om-operation"].removeprefix("omop:")))
    fate = client.get(f"/api/customers/commands/{operation['id']}")
    assert (fate.status_code, fate.json()["outcome"]) == (200, "applied")
    assert fate.json()["result"]["interactionId"] == operation["resourceId"]
    assert client.get(f"/api/customers/commands/{new_id()}").status_code == 404
