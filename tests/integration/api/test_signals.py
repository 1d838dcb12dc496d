"""The routes of signals: committed rows, conditions, keys, undo, and tenants that do not see each other."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.gateway import ALL_FEATURES
from tests.harness.wire import new_id
from tests.integration.api.signal_desk import DRAFTS, INTERACTIONS, SIGNALS, Desk, operation

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_a_life_over_http(desk: Desk) -> None:
    call, signal = desk.call(), new_id()
    body = {"id": signal, "interactionId": call, "kind": "Buying Signal", "title": "Asks for a price"}
    made = desk.client.post(SIGNALS, json={**body, "confidence": 90, "detectedAt": "2026-03-02T09:15:00Z"})
    assert (made.status_code, made.json()) == (201, {"id": signal})
    assert desk.row("signals", signal, "status", "kind", "confidence") == ("open", "buying_signal", 90)
    shown = desk.read(f"{SIGNALS}/{signal}")
    assert made.headers["etag"] == f'"{shown["version"]}"'
    assert (shown["detectedAt"], shown["interactionId"]) == ("2026-03-02T09:15:00.000Z", call)
    assert (shown["outcomes"], shown["drafts"]) == ([], [])
    changed = desk.client.put(SIGNALS, json={"id": signal, "title": "Asks for a date", "confidence": None})
    assert (changed.status_code, changed.json()) == (200, {"ok": True})
    skipped = desk.client.post(f"{SIGNALS}/skip", json={"id": signal, "reason": "Settled by phone"})
    assert (skipped.status_code, skipped.json()) == (200, {"ok": True})
    refused = desk.resolve(signal)
    assert (refused.status_code, refused.json()["code"]) == (409, "signal_skipped")
    assert desk.client.post(f"{SIGNALS}/reopen", json={"id": signal}).json() == {"ok": True}
    shown = desk.read(f"{SIGNALS}/{signal}")
    assert (shown["status"], shown["title"], shown["confidence"]) == ("open", "Asks for a date", None)
    assert [(it["outcome"], it["detail"]) for it in shown["outcomes"]] == [
        ("skipped", "Settled by phone"),
        ("reopened", None),
    ]


def test_reopen_and_resolve_leaves_two_drafts(desk: Desk) -> None:
    first = desk.draft()
    signal = first["signalId"]
    refused = desk.client.post(f"{SIGNALS}/skip", json={"id": signal})
    assert (refused.status_code, refused.json()["code"]) == (409, "signal_resolved")
    assert desk.client.post(f"{SIGNALS}/reopen", json={"id": signal}).status_code == 200
    second = desk.draft(signal)
    assert desk.ids(DRAFTS, signalId=signal) == [second["id"], first["id"]]
    assert desk.read(f"{SIGNALS}/{signal}")["draftId"] == second["id"]


def test_record_is_refused_with_the_field(desk: Desk) -> None:
    call = desk.call()
    body = {"interactionId": call, "kind": "promise", "title": "Offer"}
    for change, status, code, pointer in (
        ({"interactionId": new_id()}, 404, "interaction_not_found", "/interactionId"),
        ({"title": ""}, 400, "too_short", "/title"),
        ({"confidence": 101}, 400, "out_of_range", "/confidence"),
        ({"surprise": 1}, 400, "unknown_field", "/surprise"),
        ({"id": desk.signal(call)}, 409, "signal_exists", "/id"),
    ):
        answer = desk.client.post(SIGNALS, json={**body, **change})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"], error["pointer"]) == (status, code, pointer)
    assert desk.count("signals", interaction_id=call) == 1
    assert desk.client.put(SIGNALS, json={"id": desk.signal(call), "kind": None}).status_code == 400


def test_if_match_and_the_fingerprint_of_a_read(desk: Desk) -> None:
    draft = desk.draft()
    signal = draft["signalId"]
    address = f"{SIGNALS}/{signal}"
    tag = desk.client.get(address).headers["etag"]
    assert desk.client.get(address, headers={"If-None-Match": tag}).status_code == 304
    edited = desk.client.put(DRAFTS, json={"id": draft["id"], "body": "Dear Ada"})
    assert edited.status_code == 200
    later = desk.client.get(address, headers={"If-None-Match": tag})
    assert (later.status_code, later.json()["drafts"][0]["body"]) == (200, "Dear Ada")
    good = desk.client.put(SIGNALS, json={"id": signal, "title": "a"}, headers={"If-Match": tag})
    assert good.status_code == 200, "the edit of the draft did not change the signal"
    stale = desk.client.put(SIGNALS, json={"id": signal, "title": "b"}, headers={"If-Match": tag})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition_failed")
    assert desk.row("signals", signal, "title") == ("a",)
    lock = {"x-om-ext-optimistic-lock-expected-updated-at": draft["updatedAt"]}
    old = desk.client.post(f"{SIGNALS}/reopen", json={"id": signal}, headers=lock)
    assert (old.status_code, old.json()["error"]) == (409, "record_modified")


def test_the_same_key_gets_the_first_response(desk: Desk) -> None:
    call = desk.call()
    body = {"interactionId": call, "kind": "promise", "title": "Offer"}
    key = {"Idempotency-Key": new_id()}
    first, second = (desk.client.post(SIGNALS, json=body, headers=key) for _ in range(2))
    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["x-om-operation"] == first.headers["x-om-operation"]
    assert desk.count("signals", interaction_id=call) == 1
    other = desk.client.post(SIGNALS, json={**body, "title": "x"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_conflict")
    signal = first.json()["id"]
    for path, data in (
        ("", {"id": signal, "title": "New"}),
        ("/skip", {"id": signal}),
        ("/reopen", {"id": signal}),
    ):
        method = "POST" if path else "PUT"
        key = {
            "Idempotency-Key": new_id(),
            "If-Match": desk.client.get(f"{SIGNALS}/{signal}").headers["etag"],
        }
        answers = [desk.client.request(method, SIGNALS + path, json=data, headers=key) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 200], path
        assert answers[0].headers["etag"] == answers[1].headers["etag"]


def test_undo_of_each_write(desk: Desk) -> None:
    call = desk.call()
    body = {"interactionId": call, "kind": "promise", "title": "Offer"}
    made = desk.client.post(SIGNALS, json=body)
    signal = made.json()["id"]
    assert operation(made)["resourceKind"] == "customers.signal"
    assert operation(made)["resourceId"] == signal
    assert desk.undo(made).status_code == 200
    assert desk.row("signals", signal, "status") is None

    signal = desk.signal(call)
    changed = desk.client.put(SIGNALS, json={"id": signal, "title": "Other"})
    assert desk.undo(changed).status_code == 200
    assert desk.row("signals", signal, "title") == ("Send the offer",)
    skipped = desk.client.post(f"{SIGNALS}/skip", json={"id": signal})
    assert operation(skipped)["actionLabel"] == "Skip signal"
    assert desk.undo(skipped).status_code == 200
    assert desk.row("signals", signal, "status") == ("open",)

    resolved = desk.resolve(signal)
    draft = resolved.json()["draft"]["id"]
    assert operation(resolved)["actionLabel"] == "Resolve signal"
    assert desk.undo(resolved).status_code == 200
    assert desk.row("signals", signal, "status", "draft_id") == ("open", None)
    assert desk.row("generated_drafts", draft, "status") is None
    assert desk.ids(DRAFTS, signalId=signal) == []

    desk.draft(signal)
    reopened = desk.client.post(f"{SIGNALS}/reopen", json={"id": signal})
    assert desk.undo(reopened).status_code == 200
    assert desk.row("signals", signal, "status") == ("resolved",)


def test_only_the_user_who_resolved_takes_the_draft_back(desk: Desk) -> None:
    resolved = desk.resolve(desk.signal())
    draft = resolved.json()["draft"]
    scope = {"tenant": draft["tenantId"], "organization": draft["organizationId"]}
    for user, features, status in (
        (new_id(), ("audit_logs.undo_self",), 400),
        (draft["userId"], ("customers.view",), 403),
        (new_id(), ("audit_logs.undo_tenant",), 200),
    ):
        with desk.gateway.client(user=user, features=features, **scope) as client:
            other = Desk(client, desk.settings, desk.gateway)
            assert other.undo(resolved).status_code == status
        assert (desk.row("generated_drafts", draft["id"], "status") is None) == (status == 200)
    with desk.gateway.client(tenant=new_id(), features=["*"]) as client:
        assert Desk(client, desk.settings, desk.gateway).undo(resolved).status_code == 400


def test_a_draft_that_was_edited_is_not_taken_back(desk: Desk) -> None:
    resolved = desk.resolve(desk.signal())
    draft = resolved.json()["draft"]["id"]
    assert desk.client.put(DRAFTS, json={"id": draft, "body": "My words"}).status_code == 200
    assert desk.undo(resolved).status_code == 400
    assert desk.row("generated_drafts", draft, "body") == ("My words",)


@pytest.mark.parametrize("foreign", ["tenant", "organization"])
def test_another_scope_sees_and_changes_nothing(desk: Desk, foreign: str) -> None:
    draft = desk.draft()
    signal, call = draft["signalId"], draft["interactionId"]
    scope: dict[str, Any] = {"tenant": draft["tenantId"], "organization": draft["organizationId"]}
    with desk.gateway.client(**{**scope, foreign: new_id()}, features=(*ALL_FEATURES, "*")) as client:
        other = Desk(client, desk.settings, desk.gateway)
        for path in (SIGNALS, DRAFTS, "/api/generated-drafts"):
            assert other.ids(path) == other.ids(path, entityId=draft["entityId"]) == []
        assert client.get(f"{SIGNALS}/{signal}").json()["code"] == "signal_not_found"
        assert client.get(f"{DRAFTS}/{draft['id']}").json()["code"] == "draft_not_found"
        record = {"interactionId": call, "kind": "promise", "title": "x"}
        for method, path, body in (
            ("POST", SIGNALS, record),
            ("PUT", SIGNALS, {"id": signal, "title": "x"}),
            ("POST", f"{SIGNALS}/resolve", {"id": signal, "channel": "text"}),
            ("POST", f"{SIGNALS}/skip", {"id": signal}),
            ("POST", f"{SIGNALS}/reopen", {"id": signal}),
            ("PUT", DRAFTS, {"id": draft["id"], "body": "x"}),
            ("POST", f"{DRAFTS}/mark-sent", {"id": draft["id"]}),
            ("POST", f"{DRAFTS}/restore", {"id": draft["id"]}),
            ("DELETE", f"{DRAFTS}?id={draft['id']}", None),
            ("DELETE", f"/api/generated-drafts/{draft['id']}", None),
            ("POST", f"{INTERACTIONS}/fix", {"id": call, "title": "x"}),
        ):
            answer = client.request(method, path, json=body)
            assert answer.status_code == 404, (method, path, answer.text)
        taken = other.client.post(SIGNALS, json={**record, "interactionId": other.call(), "id": signal})
        assert (taken.status_code, taken.json()["code"]) == (409, "id_not_available")
    assert desk.read(f"{DRAFTS}/{draft['id']}") == draft


def test_features(desk: Desk) -> None:
    draft = desk.draft()
    scope = {"tenant": draft["tenantId"], "organization": draft["organizationId"]}
    with desk.gateway.client(features=["customers.view"], **scope) as reader:
        assert reader.get(SIGNALS).status_code == reader.get(f"{DRAFTS}/{draft['id']}").status_code == 200
        assert reader.post(f"{SIGNALS}/reopen", json={"id": draft["signalId"]}).status_code == 403
    with desk.gateway.client(features=["customers.edit"], **scope) as editor:
        assert editor.get(SIGNALS).status_code == 403
        assert editor.put(DRAFTS, json={"id": draft["id"], "body": "x"}).status_code == 200
        assert editor.delete(DRAFTS, params={"id": draft["id"]}).status_code == 403
