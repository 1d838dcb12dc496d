"""The routes of drafts, and their former address: edits under a lock, sent for good, deleted and restored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.wire import new_id
from tests.integration.api.signal_desk import DRAFTS, OLD_DRAFTS, SIGNALS, Desk, operation

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def test_of_two_edits_of_the_same_version_one_succeeds(desk: Desk) -> None:
    draft = desk.draft()
    identity = draft["id"]
    tag = {"If-Match": desk.client.get(f"{DRAFTS}/{identity}").headers["etag"]}
    mine = desk.client.put(DRAFTS, json={"id": identity, "body": "Mine", "subject": "Hello"}, headers=tag)
    assert (mine.status_code, mine.json()) == (200, {"ok": True})
    theirs = desk.client.put(DRAFTS, json={"id": identity, "body": "Theirs"}, headers=tag)
    assert (theirs.status_code, theirs.json()["code"]) == (412, "precondition_failed")
    assert desk.row("generated_drafts", identity, "body", "subject") == ("Mine", "Hello")
    now = desk.read(f"{DRAFTS}/{identity}")
    assert mine.headers["etag"] == f'"{now["version"]}"'
    lock = "x-om-ext-optimistic-lock-expected-updated-at"
    late = desk.client.put(DRAFTS, json={"id": identity, "body": "x"}, headers={lock: draft["updatedAt"]})
    assert (late.status_code, late.json()["error"]) == (409, "record_modified")
    assert late.json()["currentUpdatedAt"] == now["updatedAt"]
    good = desk.client.put(DRAFTS, json={"id": identity, "subject": None}, headers={lock: now["updatedAt"]})
    assert good.status_code == 200
    assert desk.row("generated_drafts", identity, "body", "subject") == ("Mine", None)


def test_of_concurrent_edits_of_the_same_version_one_succeeds(desk: Desk) -> None:
    """The lock is checked by the transaction that writes, not only when the request arrives."""
    identity = desk.draft()["id"]
    with ThreadPoolExecutor(6) as threads:
        for number in range(3):
            tag = {"If-Match": desk.client.get(f"{DRAFTS}/{identity}").headers["etag"]}

            def edit(writer: int, tag: dict[str, str] = tag, number: int = number) -> int:
                body = {"id": identity, "body": f"{number} by {writer}"}
                return desk.client.put(DRAFTS, json=body, headers=tag).status_code

            statuses = list(threads.map(edit, range(6)))
            assert sorted(statuses) == [200] + [412] * 5
            assert desk.row("generated_drafts", identity, "body") == (f"{number} by {statuses.index(200)}",)


def test_a_blank_text_is_refused(desk: Desk) -> None:
    draft = desk.draft()
    for body, code in ((" \n", "blank_draft"), ("", "too_short"), (None, "invalid_type")):
        answer = desk.client.put(DRAFTS, json={"id": draft["id"], "body": body})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"], error["pointer"]) == (400, code, "/body")
    assert desk.row("generated_drafts", draft["id"], "body") == (draft["body"],)


@pytest.mark.parametrize("path", [DRAFTS, OLD_DRAFTS])
def test_a_sent_draft_never_changes(desk: Desk, path: str) -> None:
    draft = desk.draft()["id"]
    body = {"id": draft, "sentAt": "2026-03-02T09:15:00Z"}
    key = {"Idempotency-Key": new_id()}
    sent, repeated = (desk.client.post(f"{path}/mark-sent", json=body, headers=key) for _ in range(2))
    assert (sent.status_code, repeated.status_code) == (200, 200)
    assert desk.read(f"{path}/{draft}")["sentAt"] == "2026-03-02T09:15:00.000Z"
    for answer in (
        desk.client.put(path, json={"id": draft, "body": "x"}),
        desk.client.delete(path, params={"id": draft}),
        desk.client.post(f"{path}/restore", json={"id": draft}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "draft_sent")
    assert desk.ids(path, status="sent") == desk.ids(path) == [draft]


@pytest.mark.parametrize("path", [DRAFTS, OLD_DRAFTS])
def test_deleted_and_restored(desk: Desk, path: str) -> None:
    draft = desk.draft()["id"]
    assert desk.client.delete(path, params={"id": draft}).json() == {"ok": True}
    assert desk.read(f"{path}/{draft}")["status"] == "deleted"
    refused = desk.client.put(path, json={"id": draft, "body": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "draft_deleted")
    assert desk.ids(path) == []
    assert desk.ids(path, status="draft,deleted") == [draft]
    assert desk.client.post(f"{path}/restore", json={"id": draft}).json() == {"ok": True}
    assert desk.ids(path) == [draft]


def test_undo_of_each_write(desk: Desk) -> None:
    draft = desk.draft()
    identity = draft["id"]
    edited = desk.client.put(DRAFTS, json={"id": identity, "body": "Mine"})
    assert operation(edited)["resourceKind"] == "customers.draft"
    assert (operation(edited)["resourceId"], operation(edited)["actionLabel"]) == (identity, "Update draft")
    assert desk.undo(edited).status_code == 200
    assert desk.row("generated_drafts", identity, "body") == (draft["body"],)
    deleted = desk.client.delete(DRAFTS, params={"id": identity})
    assert desk.undo(deleted).status_code == 200
    assert desk.ids(DRAFTS) == [identity]
    desk.client.delete(DRAFTS, params={"id": identity})
    restored = desk.client.post(f"{DRAFTS}/restore", json={"id": identity})
    assert desk.undo(restored).status_code == 200
    assert desk.ids(DRAFTS) == []
    desk.client.post(f"{DRAFTS}/restore", json={"id": identity})
    sent = desk.client.post(f"{DRAFTS}/mark-sent", json={"id": identity})
    assert desk.undo(sent).status_code == 200
    assert desk.row("generated_drafts", identity, "status", "sent_at") == ("draft", None)


def test_the_former_address_is_the_same_resource(desk: Desk) -> None:
    draft = desk.draft()
    one = desk.client.get(f"{OLD_DRAFTS}/{draft['id']}", params={"_": "1"})
    assert (one.status_code, one.json()) == (200, draft), "an old client's parameters are ignored"
    assert one.headers["etag"] == f'"{draft["version"]}"'
    assert one.headers["deprecation"].startswith("@")
    assert '</api/customers/drafts>; rel="successor-version"' in one.headers["link"]
    edited = desk.client.put(
        OLD_DRAFTS, json={"id": draft["id"], "body": "Old"}, headers={"If-Match": one.headers["etag"]}
    )
    assert (edited.status_code, desk.read(f"{DRAFTS}/{draft['id']}")["body"]) == (200, "Old")
    removed = desk.client.delete(f"{OLD_DRAFTS}/{draft['id']}")
    assert (removed.status_code, removed.json()) == (200, {"ok": True})
    assert "sunset" in removed.headers
    assert desk.undo(removed).status_code == 200
    stale = desk.client.delete(f"{OLD_DRAFTS}/{draft['id']}", headers={"If-Match": one.headers["etag"]})
    assert stale.status_code == 412
    missing = desk.client.delete(f"{OLD_DRAFTS}/{new_id()}")
    assert (missing.status_code, missing.json()["code"]) == (404, "draft_not_found")
    assert "deprecation" in missing.headers
    assert "deprecation" not in desk.client.get(f"{DRAFTS}/{draft['id']}").headers


def test_a_key_of_a_deletion(desk: Desk) -> None:
    draft = desk.draft()["id"]
    key = {"Idempotency-Key": new_id()}
    first = desk.client.delete(DRAFTS, params={"id": draft}, headers=key)
    desk.client.post(f"{DRAFTS}/restore", json={"id": draft})
    second = desk.client.delete(DRAFTS, params={"id": draft}, headers=key)
    assert (second.status_code, second.headers["etag"]) == (200, first.headers["etag"])
    assert desk.ids(DRAFTS) == [draft], "a repeat changes nothing"


def test_a_signal_lists_its_drafts_only(desk: Desk) -> None:
    draft, other = desk.draft(), desk.draft()
    assert [it["id"] for it in desk.read(f"{SIGNALS}/{draft['signalId']}")["drafts"]] == [draft["id"]]
    assert desk.ids(DRAFTS, signalId=other["signalId"]) == [other["id"]]
