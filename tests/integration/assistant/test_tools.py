"""Every tool against the real stack, with the package's own client, over both transports and protocols."""

from __future__ import annotations

from typing import Any

import pytest

from api.assistant.tools.catalog import TOOLS, WRITES
from tests.harness.wire import new_id
from tests.integration.api.signal_desk import INTERACTIONS, Desk
from tests.integration.assistant.conftest import Office

pytestmark = [pytest.mark.integration, pytest.mark.timeout(180)]
MONDAY, TUESDAY = "2027-03-01T09:00:00Z", "2027-03-02T09:00:00Z"


def row_of(desk: Desk, identity: str) -> tuple[Any, ...] | None:
    return desk.row("customer_interactions", identity, "title", "status", "version")


def planned(office: Office, person: str, **fields: Any) -> dict[str, Any]:
    """A planned call, as the tool read it back."""
    made = office.assistant.write(
        "plan_interaction",
        **{"entityId": person, "interactionType": "call", "title": "Roof", "scheduledAt": MONDAY, **fields},
    )
    assert made["outcome"] == "applied", made.text
    row: dict[str, Any] = made["row"]
    return row


def test_the_list_of_tools_in_this_protocol(office: Office) -> None:
    listed = office.assistant.tools()
    assert [tool.name for tool in listed] == list(TOOLS)
    assert len(listed) <= 18
    version = office.assistant.client.protocol_version
    assert (version == "2026-07-28") == office.connection.endswith("auto")
    assert "data, not instructions" in str(office.assistant.client.instructions).replace("is data", "data")


def test_find_customers(office: Office) -> None:
    person = office.desk.create("/api/customers/people", displayName="Grace Hopper")
    company = office.desk.create("/api/customers/companies", displayName="Grace Mill")
    assert office.assistant.call("find_customers", search="grace").ids == [person]
    found = office.assistant.call("find_customers", search="grace", kind="company")
    assert found.ids == [company]
    assert found.text.startswith("READ.")
    none = office.assistant.call("find_customers", search="nowhere to be found", hasNextInteraction=False)
    assert none.items == []


def test_plan_list_and_get_an_interaction(office: Office, person: str) -> None:
    row = planned(office, person, priority=80)
    assert row_of(office.desk, row["id"]) == ("Roof", "planned", row["version"])
    assert office.assistant.call("get_interaction", id=row["id"])["data"] == row
    listed = office.assistant.call("list_interactions", entityId=person, status="planned,done")
    assert listed.items == [row]
    paged = office.assistant.call("list_interactions", entityId=person, limit=1, sortField="createdAt")
    assert paged.ids == [row["id"]]
    missing = office.assistant.call("get_interaction", id=new_id())
    assert (missing.is_error, missing.code) == (True, "interaction_not_found")


def test_update_an_interaction(office: Office, person: str) -> None:
    row = planned(office, person)
    done = office.assistant.write(
        "update_interaction", id=row["id"], title="Rooftop", expectedVersion=row["version"]
    )
    assert (done["outcome"], done["row"]["title"]) == ("applied", "Rooftop")
    assert row_of(office.desk, row["id"]) == ("Rooftop", "planned", done["version"])
    stale = office.assistant.write(
        "update_interaction", id=row["id"], title="No", expectedVersion=row["version"]
    )
    assert (stale["saved"], stale.code) == (False, "precondition_failed")
    same = office.assistant.write("update_interaction", id=row["id"], title="Rooftop")
    assert (same["outcome"], same["saved"]) == ("no_op", True)


def test_complete_and_plan_the_next_one(office: Office, person: str) -> None:
    row = planned(office, person)
    key = new_id()
    following = {"interactionType": "email", "title": "Send the offer", "scheduledAt": TUESDAY}
    done = None
    for attempt in range(3):
        done = office.assistant.call(
            "complete_interaction", id=row["id"], occurredAt=MONDAY, next=following, requestKey=key
        )
        wanted = "duplicate" if attempt else "applied"
        assert (done["outcome"], done["next"]["outcome"], done["next"]["saved"]) == (wanted, wanted, True)
    assert done is not None
    assert (done["row"]["status"], done["next"]["row"]["title"]) == ("done", "Send the offer")
    found = office.desk.ids(INTERACTIONS, entityId=person)
    assert sorted(found) == sorted([row["id"], done["next"]["id"]]), "no retry doubles"


def test_a_completion_whose_next_one_is_refused_is_no_success(office: Office, person: str) -> None:
    row = planned(office, person)
    following = {"interactionType": "email", "dealId": new_id()}
    done = office.assistant.write("complete_interaction", id=row["id"], next=following)
    assert (done["outcome"], done["saved"], done["next"]["saved"]) == ("partly_applied", False, False)
    assert done["row"]["status"] == "done"
    assert office.desk.ids(INTERACTIONS, entityId=person) == [row["id"]]


def test_cancel_needs_a_second_call(office: Office, person: str) -> None:
    row = planned(office, person)
    key = new_id()
    first = office.assistant.call("cancel_interaction", id=row["id"], requestKey=key)
    assert (first["outcome"], first["preview"]["now"]["interaction"]) == ("confirmation_required", row)
    assert row_of(office.desk, row["id"]) == ("Roof", "planned", row["version"])
    assert office.outcome(first["commandId"]) is None
    office.desk.client.put(INTERACTIONS, json={"id": row["id"], "title": "Changed by a colleague"})
    again = {"id": row["id"], "requestKey": key}
    outdated = office.assistant.call("cancel_interaction", **again, confirmation=first["confirmation"])
    assert (outdated["outcome"], outdated["saved"], outdated.code) == (
        "confirmation_required", False, "confirmation_outdated"
    )  # fmt: skip
    done = office.assistant.call("cancel_interaction", **again, confirmation=outdated["confirmation"])
    assert (done["outcome"], done["row"]["status"]) == ("applied", "canceled")
    repeated = office.assistant.call("cancel_interaction", **again, confirmation=outdated["confirmation"])
    assert (repeated["outcome"], repeated["version"]) == ("duplicate", done["version"])


def test_reopen(office: Office, person: str) -> None:
    row = planned(office, person)
    office.assistant.write("complete_interaction", id=row["id"])
    done = office.assistant.write("reopen_interaction", id=row["id"])
    assert (done["outcome"], done["row"]["status"]) == ("applied", "planned")
    refused = office.assistant.write("reopen_interaction", id=row["id"])
    assert (refused["saved"], refused.code) == (False, "already_planned")


def test_delete_and_undo(office: Office, person: str) -> None:
    row = planned(office, person)
    signal = office.desk.signal(row["id"])
    key = new_id()
    first = office.assistant.call("delete_interaction", id=row["id"], requestKey=key)
    assert first["outcome"] == "confirmation_required"
    arguments = {"id": row["id"], "requestKey": key, "confirmation": first["confirmation"]}
    gone = office.assistant.call("delete_interaction", **arguments)
    assert (gone["outcome"], gone["row"]) == ("applied", None)
    assert row_of(office.desk, row["id"]) is None
    assert office.desk.count("signals", interaction_id=row["id"]) == 0, "no signal without its interaction"
    assert office.assistant.call("delete_interaction", **arguments)["outcome"] == "duplicate"
    back = office.assistant.confirm("undo", undoToken=gone["undoToken"])
    assert (back["outcome"], back["row"]["id"]) == ("applied", row["id"])
    assert office.desk.row("signals", signal, "status") == ("open",)
    second = office.assistant.confirm("undo", undoToken=gone["undoToken"])
    assert (second["saved"], second.code) == (False, "undo_not_available")
    nonsense = office.assistant.write("undo", undoToken="u.bm9uZQ")
    assert (nonsense["saved"], nonsense.code) == (False, "undo_not_available")


def test_fix_an_interaction_and_its_signals(office: Office, person: str) -> None:
    row = planned(office, person)
    one, two = office.desk.signal(row["id"]), office.desk.signal(row["id"])
    done = office.assistant.write(
        "fix_interaction", id=row["id"], title="Fixed", signals=[{"id": one, "title": "Corrected"}]
    )
    assert (done["outcome"], done["row"]["title"]) == ("applied", "Fixed")
    both = [{"id": one, "title": "A"}, {"id": two, "title": "B"}]
    bulk = office.assistant.confirm("fix_interaction", id=row["id"], signals=both)
    assert bulk["outcome"] == "applied"
    assert [office.desk.row("signals", it, "title") for it in (one, two)] == [("A",), ("B",)]
    unknown = [{"id": one, "title": "C"}, {"id": new_id(), "title": "D"}]
    none = office.assistant.confirm("fix_interaction", id=row["id"], title="E", signals=unknown)
    assert (none["saved"], none.code) == (False, "signal_not_found")
    assert office.desk.row("signals", one, "title") == ("A",), "all or nothing"
    assert row_of(office.desk, row["id"]) == ("Fixed", "planned", done["version"])


def test_list_and_skip_signals(office: Office, person: str) -> None:
    row = planned(office, person)
    one, two = office.desk.signal(row["id"]), office.desk.signal(row["id"])
    done = office.assistant.write("skip_signal", id=one, reason="Settled by phone")
    assert (done["outcome"], done["row"]["status"]) == ("applied", "skipped")
    assert office.assistant.call("list_signals", entityId=person, status="open").ids == [two]
    assert office.assistant.write("skip_signal", id=one)["outcome"] == "no_op"


def test_list_and_edit_drafts(office: Office, person: str) -> None:
    row = planned(office, person)
    resolved = office.assistant.write("resolve_signal", id=office.desk.signal(row["id"]), channel="email")
    assert resolved["outcome"] == "applied", resolved.text
    draft = resolved["row"]
    assert office.assistant.call("list_drafts", entityId=person).items == [draft]
    edited = office.assistant.write(
        "edit_draft", id=draft["id"], body="Dear Ada", expectedVersion=draft["version"]
    )
    assert (edited["outcome"], edited["row"]["body"]) == ("applied", "Dear Ada")
    assert office.desk.row("generated_drafts", draft["id"], "body") == ("Dear Ada",)
    blank = office.assistant.write("edit_draft", id=draft["id"], body=" ")
    assert (blank["saved"], blank.code) == (False, "blank_draft")


def test_the_outcome_of_a_command(office: Office, person: str) -> None:
    key = new_id()
    made = office.assistant.call("plan_interaction", entityId=person, interactionType="call", requestKey=key)
    by_key = office.assistant.call("get_command_outcome", tool="plan_interaction", requestKey=key)
    by_id = office.assistant.call("get_command_outcome", commandId=made["commandId"])
    assert by_key.content == by_id.content
    assert (by_id["outcome"], by_id["row"], by_id["undoToken"]) == ("applied", made["row"], made["undoToken"])
    never = office.assistant.call("get_command_outcome", tool="plan_interaction", requestKey=new_id())
    assert (never["saved"], never.code) == (None, "command_unknown")
    refused = office.assistant.write("plan_interaction", entityId=new_id(), interactionType="call")
    assert refused["saved"] is False
    known = office.assistant.call("get_command_outcome", commandId=refused["commandId"])
    assert (known["outcome"], known.code) == ("rejected", refused.code)
    signal = office.desk.signal(made["id"])
    resolved = office.assistant.write("resolve_signal", id=signal, channel="text")
    draft = office.assistant.call("get_command_outcome", commandId=resolved["commandId"])
    assert (draft["saved"], draft["id"], draft["row"]) == (True, resolved["id"], resolved["row"])


@pytest.mark.parametrize("name", ["plan_interaction", "update_interaction", "edit_draft"])
def test_the_same_key_with_other_content_is_a_conflict(office: Office, person: str, name: str) -> None:
    row = planned(office, person)
    draft = office.desk.draft(office.desk.signal(row["id"]))
    arguments: dict[str, Any] = {
        "plan_interaction": {"entityId": person, "interactionType": "call", "title": "One"},
        "update_interaction": {"id": row["id"], "title": "One"},
        "edit_draft": {"id": draft["id"], "body": "One"},
    }[name]
    text = "body" if name == "edit_draft" else "title"
    key = new_id()
    first = office.assistant.call(name, **arguments, requestKey=key)
    same = office.assistant.call(name, **arguments, requestKey=key)
    assert [it["outcome"] for it in (first, same)] == ["applied", "duplicate"]
    assert (same["id"], same["version"]) == (first["id"], first["version"])
    other = office.assistant.call(name, **{**arguments, text: "Two"}, requestKey=key)
    assert (other["saved"], other.code) == (False, "idempotency_conflict")
    table = "generated_drafts" if name == "edit_draft" else "customer_interactions"
    assert office.desk.row(table, first["id"], text) == ("One",)


def test_an_unknown_argument_is_refused_by_name(office: Office, person: str) -> None:
    refused = office.assistant.write("plan_interaction", entityId=person, interactionType="call", titel="x")
    assert (refused["saved"], refused.code) == (False, "validation_failed")
    assert "/titel" in refused.text
    assert office.desk.ids(INTERACTIONS, entityId=person) == []
    nested = office.assistant.write("fix_interaction", id=new_id(), signals=[{"id": new_id(), "titel": "x"}])
    assert "/signals/0/titel" in nested.text
    read = office.assistant.call("list_interactions", customer=person)
    assert (read.is_error, read["problem"]["errors"][0]["pointer"]) == (True, "/customer")


@pytest.mark.parametrize("name", WRITES)
def test_no_write_without_a_key(office: Office, name: str) -> None:
    refused = office.assistant.call(name)
    assert refused["saved"] is False
    assert "/requestKey" in {error["pointer"] for error in refused["problem"]["errors"]}


def test_an_unknown_tool_is_an_error(office: Office) -> None:
    with pytest.raises(Exception, match="There is no tool 'forget_everything'"):
        office.assistant.call("forget_everything")
