"""Corrections and deletions over HTTP: an update creates nothing, and nothing is half done."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.wire import new_id
from tests.integration.api.signal_desk import DRAFTS, INTERACTIONS, SIGNALS, Desk, operation

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
FIX = f"{INTERACTIONS}/fix"


def _counts(desk: Desk, entity: str) -> list[int]:
    return [desk.count(table, entity_id=entity) for table in ("customer_interactions", "signals")]


def test_a_date_is_fixed_without_a_new_interaction_or_signal(desk: Desk) -> None:
    person = desk.create("/api/customers/people", displayName="Ada Byron")
    call = desk.call(person)
    signal = desk.signal(call)
    before = _counts(desk, person)
    body = {
        "id": call,
        "occurredAt": "2026-03-02T09:15:00Z",
        "status": "done",
        "signals": [{"id": signal, "title": "Send the offer by mail", "confidence": None}],
    }
    fixed = desk.client.post(FIX, json=body)
    assert (fixed.status_code, fixed.json()) == (200, {"ok": True})
    assert _counts(desk, person) == before == [1, 1]
    shown = desk.read(f"{INTERACTIONS}/{call}")
    assert (shown["occurredAt"], shown["status"]) == ("2026-03-02T09:15:00.000Z", "done")
    assert fixed.headers["etag"] == f'"{shown["version"]}"'
    assert desk.read(f"{SIGNALS}/{signal}")["title"] == "Send the offer by mail"
    assert operation(fixed)["resourceKind"] == "customers.interaction"
    assert desk.undo(fixed).status_code == 200
    assert desk.read(f"{INTERACTIONS}/{call}")["status"] == "planned"
    assert desk.read(f"{SIGNALS}/{signal}")["title"] == "Send the offer"


def test_a_fix_changes_all_or_nothing(desk: Desk) -> None:
    call = desk.call()
    signal, foreign = desk.signal(call), desk.signal()
    wrong: list[tuple[dict[str, Any], int, str]] = [
        ({"id": new_id(), "title": "x"}, 404, "/signals/1/id"),
        ({"id": foreign, "title": "x"}, 409, "/signals/1/id"),
        ({"id": signal, "title": "x"}, 400, "/signals/1/id"),
        ({"id": signal, "surprise": 1}, 400, "/signals/1/surprise"),
        ({"id": signal, "title": None}, 400, "/signals/1/title"),
    ]
    for bad, status, pointer in wrong:
        body = {"id": call, "title": "New", "signals": [{"id": signal, "title": "Changed"}, bad]}
        answer = desk.client.post(FIX, json=body)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (status, pointer)
        assert desk.row("customer_interactions", call, "title", "version") == ("Roof", 1)
        assert desk.row("signals", signal, "title") == ("Send the offer",)
    stale = desk.client.post(FIX, json={"id": call, "title": "New"}, headers={"If-Match": '"7"'})
    assert stale.status_code == 412
    assert desk.row("customer_interactions", call, "title", "version") == ("Roof", 1)
    assert desk.client.post(FIX, json={"id": call, "status": None}).status_code == 400


def test_the_key_of_a_fix(desk: Desk) -> None:
    call = desk.call()
    key = {"Idempotency-Key": new_id(), "If-Match": '"1"'}
    answers = [desk.client.post(FIX, json={"id": call, "title": "New"}, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].headers["x-om-operation"] == answers[1].headers["x-om-operation"]
    assert desk.row("customer_interactions", call, "version") == (2,)


def test_a_deleted_interaction_leaves_no_signal_and_no_draft(desk: Desk) -> None:
    call = desk.call()
    draft, other = desk.draft(desk.signal(call)), desk.signal(call)
    removed = desk.client.delete(INTERACTIONS, params={"id": call})
    assert removed.status_code == 200
    assert desk.ids(SIGNALS) == desk.ids(DRAFTS, status="draft,sent,deleted") == []
    for address in (f"{SIGNALS}/{other}", f"{SIGNALS}/{draft['signalId']}", f"{DRAFTS}/{draft['id']}"):
        assert desk.client.get(address).status_code == 404
    assert desk.count("signal_outcomes", interaction_id=call) == 0
    assert desk.resolve(other).status_code == 404
    assert desk.undo(removed).status_code == 200
    assert set(desk.ids(SIGNALS, interactionId=call)) == {draft["signalId"], other}
    assert desk.ids(DRAFTS, interactionId=call) == [draft["id"]]
