"""Every resolved signal has a visible action (draft): the six steps of the test matrix, over HTTP.

A reload is a request over a new connection. Each step looks at the new and the old address, which the user
interface reads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from schemas import cache_tags
from tests.harness.wire import new_id
from tests.integration.api.signal_desk import DRAFTS, OLD_DRAFTS, SIGNALS, Desk, operation
from tests.integration.api.test_stream import listening

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]


def shown(desk: Desk) -> list[str]:
    """Ids of the actions that both addresses list."""
    found = desk.ids(DRAFTS)
    assert desk.ids(OLD_DRAFTS) == found
    return found


def test_1_resolve_a_signal_as_text_and_the_action_appears(desk: Desk) -> None:
    signal = desk.signal()
    assert shown(desk) == []
    answer = desk.resolve(signal, channel="text")
    assert answer.status_code == 200, answer.text
    draft = answer.json()["draft"]
    assert (answer.json()["ok"], draft["signalId"], draft["channel"]) == (True, signal, "text")
    assert draft["body"].strip()
    assert desk.row("generated_drafts", draft["id"], "status", "body") == ("draft", draft["body"])
    assert desk.row("signals", signal, "status", "draft_id::text") == ("resolved", draft["id"])
    assert shown(desk) == [draft["id"]]


def test_1_and_every_open_page_is_told(desk: Desk) -> None:
    """The tag that a write invalidates is the tag of the list that shows the action."""
    claims = desk.client.headers["authorization"]
    with httpx2.Client(base_url=desk.client.base_url, headers={"Authorization": claims}, timeout=30) as page:
        signal = desk.signal()
        with listening(page) as stream:
            stream.wait_for("ready")
            draft = desk.draft(signal)
            tag = cache_tags.draft_list(draft["tenantId"], draft["organizationId"])
            assert cache_tags.drafts_of_signal(signal) in stream.wait_for("invalidate", tag)["tags"]
            stream.wait_for("invalidate", cache_tags.signal_list(draft["tenantId"], draft["organizationId"]))


def test_2_reload_and_the_action_is_still_there(desk: Desk) -> None:
    draft = desk.draft()
    for path in (DRAFTS, OLD_DRAFTS):
        assert desk.read(f"{path}/{draft['id']}") == draft
        assert desk.read(path, signalId=draft["signalId"])["items"] == [draft]
    detail = desk.read(f"{SIGNALS}/{draft['signalId']}")
    assert (detail["status"], detail["draftId"], detail["drafts"]) == ("resolved", draft["id"], [draft])
    assert [it["outcome"] for it in detail["outcomes"]] == ["resolved"]


def _by_query(desk: Desk, draft_id: str) -> httpx2.Response:
    return desk.client.delete(DRAFTS, params={"id": draft_id})


def _by_old_path(desk: Desk, draft_id: str) -> httpx2.Response:
    return desk.client.delete(f"{OLD_DRAFTS}/{draft_id}")


@pytest.mark.parametrize("delete", [_by_query, _by_old_path])
def test_3_and_4_delete_the_action_and_it_is_gone_after_a_reload(
    desk: Desk, delete: Callable[[Desk, str], httpx2.Response]
) -> None:
    draft, other = desk.draft(), desk.draft()
    removed = delete(desk, draft["id"])
    assert (removed.status_code, removed.json()) == (200, {"ok": True})
    for _ in range(2):
        assert shown(desk) == [other["id"]]
        assert desk.ids(DRAFTS, signalId=draft["signalId"]) == []
        assert desk.read(f"{SIGNALS}/{draft['signalId']}")["drafts"] == []
    assert desk.row("generated_drafts", draft["id"], "status") == ("deleted",)
    assert delete(desk, draft["id"]).status_code == 200, "gone is gone"
    assert desk.ids(DRAFTS, status="deleted") == [draft["id"]]


def test_5_resolve_another_signal_and_a_new_action_appears(desk: Desk) -> None:
    call = desk.call()
    first, second = desk.signal(call), desk.signal(call)
    one = desk.draft(first)["id"]
    desk.client.delete(DRAFTS, params={"id": one})
    other = desk.draft(second)["id"]
    assert other != one
    assert shown(desk) == [other]


def test_6_resolve_the_same_signal_twice(desk: Desk) -> None:
    signal = desk.signal()
    first, second = desk.resolve(signal), desk.resolve(signal, channel="email")
    assert (first.status_code, second.status_code) == (200, 200)
    assert first.json() == second.json(), "the draft that exists, not another one"
    assert first.headers["etag"] == second.headers["etag"]
    assert operation(first)["resourceId"] == signal
    assert "x-om-operation" not in second.headers, "it changed nothing"
    assert shown(desk) == [first.json()["draft"]["id"]]


def test_6_resolve_the_same_signal_twice_at_once(desk: Desk) -> None:
    """Each request gets the one draft, or 504 with an address; none reports another success."""
    signal = desk.signal()
    with ThreadPoolExecutor(4) as threads:
        answers = [it.result() for it in [threads.submit(desk.resolve, signal) for _ in range(4)]]
    drafts = {answer.json()["draft"]["id"] for answer in answers if answer.status_code == 200}
    others = [answer for answer in answers if answer.status_code != 200]
    assert len(drafts) == 1
    for answer in others:
        assert (answer.status_code, answer.json()["signalId"]) == (504, signal)
        assert desk.client.get(answer.headers["location"]).json()["outcome"] == "no_op"
    assert shown(desk) == list(drafts)
    assert desk.count("generated_drafts", signal_id=signal) == 1


def test_6_resolve_a_signal_whose_action_was_deleted(desk: Desk) -> None:
    """The response does not pretend that there is an action; reopening the signal leads to a new one."""
    draft = desk.draft()
    desk.client.delete(DRAFTS, params={"id": draft["id"]})
    same = desk.draft(draft["signalId"])
    assert (same["id"], same["status"], shown(desk)) == (draft["id"], "deleted", [])
    desk.client.post(f"{SIGNALS}/reopen", json={"id": draft["signalId"]})
    other = desk.draft(draft["signalId"])
    assert other["id"] != draft["id"]
    assert shown(desk) == [other["id"]]


def test_a_signal_without_a_person_is_refused_with_the_reason(desk: Desk) -> None:
    company = desk.create("/api/customers/companies", displayName="Mill")
    call = desk.create("/api/customers/interactions", entityId=company, interactionType="call")
    signal = desk.signal(call)
    refused = desk.resolve(signal)
    assert (refused.status_code, refused.json()["code"]) == (409, "person_required")
    assert desk.read(f"{SIGNALS}/{signal}")["status"] == "open"
    unknown = desk.signal(call, personId=new_id())
    failed = desk.resolve(unknown)
    assert (failed.status_code, failed.json()["code"]) == (409, "person_not_found")
    assert failed.headers["content-type"] == "application/problem+json"
    assert shown(desk) == []
