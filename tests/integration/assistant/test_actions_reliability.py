"""Every resolved signal has a visible action (draft): the six steps of the test matrix, by an assistant."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.harness.wire import new_id
from tests.integration.api.signal_desk import DRAFTS, SIGNALS
from tests.integration.assistant.conftest import CONNECTIONS, Office

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(180),
    pytest.mark.parametrize("office", CONNECTIONS[:3], indirect=True, scope="session"),
]


def test_1_resolve_a_signal_as_text_and_the_action_appears(office: Office) -> None:
    signal = office.desk.signal()
    done = office.assistant.write("resolve_signal", id=signal, channel="text")
    assert done["outcome"] == "applied", done.text
    draft = done["row"]
    assert (draft["id"], draft["signalId"], draft["channel"]) == (done["id"], signal, "text")
    assert draft["body"].strip()
    assert office.desk.row("generated_drafts", draft["id"], "status", "body") == ("draft", draft["body"])
    assert office.desk.row("signals", signal, "status", "draft_id::text") == ("resolved", draft["id"])
    assert office.assistant.call("list_drafts", signalId=signal).items == [draft]


def test_2_reload_and_the_action_is_still_there(office: Office) -> None:
    signal = office.desk.signal()
    draft = office.assistant.write("resolve_signal", id=signal, channel="text")["row"]
    assert office.desk.read(f"{DRAFTS}/{draft['id']}") == draft
    for _ in range(2):
        assert office.assistant.call("list_drafts", signalId=signal).items == [draft]
    found = office.assistant.call("list_signals", interactionId=draft["interactionId"]).items
    assert [(it["status"], it["draftId"]) for it in found] == [("resolved", draft["id"])]


def test_3_and_4_delete_the_action_and_it_is_gone_after_a_reload(office: Office) -> None:
    signal, other = office.desk.signal(), office.desk.signal()
    drafts = [
        office.assistant.write("resolve_signal", id=it, channel="text")["row"] for it in (signal, other)
    ]
    office.desk.client.delete(DRAFTS, params={"id": drafts[0]["id"]})
    for _ in range(2):
        assert office.assistant.call("list_drafts", signalId=signal).items == []
        assert office.assistant.call("list_drafts", signalId=other).items == [drafts[1]]


def test_5_resolve_another_signal_and_a_new_action_appears(office: Office) -> None:
    call = office.desk.call()
    first, second = office.desk.signal(call), office.desk.signal(call)
    one = office.assistant.write("resolve_signal", id=first, channel="text")["id"]
    office.desk.client.delete(DRAFTS, params={"id": one})
    other = office.assistant.write("resolve_signal", id=second, channel="text")["id"]
    assert other != one
    assert office.assistant.call("list_drafts", interactionId=call).ids == [other]


def test_6_resolve_the_same_signal_twice(office: Office) -> None:
    signal, key = office.desk.signal(), new_id()
    first = office.assistant.call("resolve_signal", id=signal, channel="text", requestKey=key)
    repeated = office.assistant.call("resolve_signal", id=signal, channel="text", requestKey=key)
    second = office.assistant.write("resolve_signal", id=signal, channel="email")
    assert [it["outcome"] for it in (first, repeated, second)] == ["applied", "duplicate", "no_op"]
    assert first["row"] == repeated["row"] == second["row"], "the draft that exists, not another one"
    assert second["undoToken"] is None, "it changed nothing"
    assert office.desk.count("generated_drafts", signal_id=signal) == 1


def test_6_resolve_the_same_signal_twice_at_once(office: Office) -> None:
    """Each call gets the one draft, or is not known yet; none reports another success."""
    signal = office.desk.signal()

    def resolve() -> object:
        return office.assistant.write("resolve_signal", id=signal, channel="text").content

    with ThreadPoolExecutor(4) as threads:
        answers = [it.result() for it in [threads.submit(resolve) for _ in range(4)]]
    drafts = {answer["id"] for answer in answers if answer["saved"]}  # type: ignore[index]
    assert len(drafts) == 1
    assert {answer["saved"] for answer in answers} <= {True, None}  # type: ignore[index]
    assert office.assistant.call("list_drafts", signalId=signal).ids == list(drafts)
    assert office.desk.count("generated_drafts", signal_id=signal) == 1


def test_6_resolve_a_signal_whose_action_was_deleted(office: Office) -> None:
    """The answer does not pretend that there is an action; reopening the signal leads to a new one."""
    signal = office.desk.signal()
    draft = office.assistant.write("resolve_signal", id=signal, channel="text")["row"]
    office.desk.client.delete(DRAFTS, params={"id": draft["id"]})
    same = office.assistant.write("resolve_signal", id=signal, channel="text")
    assert (same["outcome"], same["id"], same["row"]["status"]) == ("no_op", draft["id"], "deleted")
    assert "its draft is deleted" in same.text
    office.desk.client.post(f"{SIGNALS}/reopen", json={"id": signal})
    other = office.assistant.write("resolve_signal", id=signal, channel="text")
    assert other["id"] != draft["id"]
    assert office.assistant.call("list_drafts", signalId=signal).ids == [other["id"]]


def test_a_signal_without_a_person_is_refused_with_the_reason(office: Office) -> None:
    company = office.desk.create("/api/customers/companies", displayName="Mill")
    call = office.desk.create("/api/customers/interactions", entityId=company, interactionType="call")
    signal = office.desk.signal(call)
    refused = office.assistant.write("resolve_signal", id=signal, channel="text")
    assert (refused["saved"], refused.code) == (False, "person_required")
    assert office.desk.read(f"{SIGNALS}/{signal}")["status"] == "open"
    unknown, key = office.desk.signal(call, personId=new_id()), new_id()
    for _ in range(2):
        failed = office.assistant.call("resolve_signal", id=unknown, channel="text", requestKey=key)
        assert (failed["saved"], failed.code) == (False, "person_not_found"), "also when it is repeated"
        assert failed.text.startswith("NOT SAVED (rejected).")
    assert office.desk.count("generated_drafts", signal_id=unknown) == 0
