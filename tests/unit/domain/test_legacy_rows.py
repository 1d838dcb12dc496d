"""Conversion rules: every legacy row becomes a create command that is accepted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import legacy_rows
from domain.legacy_rows import (
    Conversion,
    StoredFacts,
    placeholder,
    placeholder_ids,
)
from schemas.instants import format_instant
from schemas.payloads import EntityUpsert, InteractionCreate

ID = "40000000-0000-4000-8000-000000000001"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KNOWN = StoredFacts(customer_known=True, deal_known=True, types=None)


def row(**changes: Any) -> dict[str, Any]:
    """A legacy activity, in the shape of ``sinks.legacy_rows``."""
    base: dict[str, Any] = dict.fromkeys(
        ("title", "body", "scheduled_at", "occurred_at", "priority", "severity", "deal_id", "author_user_id",
         "owner_user_id", "appearance_icon", "appearance_color", "todo_id", "todo_source")
    )  # fmt: skip
    base |= {"id": ID, "kind": "activity", "interaction_type": "call", "status": "planned", "found": True}
    base |= {"unreadable": [], "dropped": []}
    return {**base, "created_at": NOW - timedelta(days=9), "updated_at": NOW - timedelta(days=1), **changes}


def converted(facts: StoredFacts = KNOWN, **changes: Any) -> Conversion:
    conversion = legacy_rows.convert(row(**changes), facts, NOW)
    InteractionCreate.model_validate(conversion.data)
    return conversion


def moved(facts: StoredFacts = KNOWN, **changes: Any) -> dict[str, Any]:
    return converted(facts, **changes).data


def todo(**changes: Any) -> Conversion:
    base = {"kind": "todo", "interaction_type": "task", "todo_id": ID, "todo_source": "example:todo"}
    return converted(**{**base, **changes})


def test_a_row_within_the_limits_is_kept_as_it_is() -> None:
    deal = "50000000-0000-4000-8000-000000000001"
    given_row: dict[str, Any] = {
        "title": "T",
        "body": "B",
        "deal_id": deal,
        "occurred_at": NOW,
        "status": "done",
    }
    conversion = converted(**given_row, appearance_color="#AAbb00", appearance_icon="phone")
    assert conversion.data == {
        "id": ID, "interactionType": "call", "title": "T", "body": "B", "status": "done",
        "occurredAt": format_instant(NOW), "dealId": deal, "appearanceIcon": "phone",
        "appearanceColor": "#AAbb00", "source": "migration:activity",
        "createdAt": format_instant(NOW - timedelta(days=9)),
        "updatedAt": format_instant(NOW - timedelta(days=1)),
        "sourceTimestamp": format_instant(NOW - timedelta(days=1)),
    }  # fmt: skip
    assert conversion.fates == dict.fromkeys(
        ("interaction_type", "title", "body", "occurred_at", "deal_id", "appearance_icon", "appearance_color",
         "created_at", "updated_at"), "copied"
    )  # fmt: skip


def test_a_todo_keeps_its_schedule_and_its_priority() -> None:
    conversion = todo(title="T", body="B", scheduled_at=NOW, priority="70", severity="low")
    assert conversion.data["source"] == "migration:todo_link"
    assert (conversion.data["scheduledAt"], conversion.data["priority"]) == (format_instant(NOW), 70)
    assert (conversion.fates["priority"], conversion.fates["severity"]) == ("copied", "dropped")
    assert "interaction_type" not in conversion.fates


@pytest.mark.parametrize(
    ("given", "severity", "priority", "fate"),
    [
        ("5", None, 5, "copied"),
        ("500", None, 100, "normalised"),
        ("-3", None, 0, "normalised"),
        (" 7 ", None, 7, "copied"),
        ("High", None, 75, "normalised"),
        ("urgent", None, 100, "normalised"),
        ("some day", None, None, "dropped"),
        ("1e9", "critical", 100, "dropped"),
        (None, "Medium", 50, None),
        ("", None, None, None),
        ("9" * 30, None, None, "dropped"),
    ],
)
def test_a_priority_is_a_number_or_a_word(
    given: str | None, severity: str | None, priority: int | None, fate: str | None
) -> None:
    conversion = todo(priority=given, severity=severity)
    assert (conversion.data.get("priority"), conversion.fates.get("priority")) == (priority, fate)


def test_a_todo_that_is_not_found_is_a_task_with_its_id() -> None:
    conversion = todo(found=False, author_user_id=ID)
    assert conversion.data["title"] == "Task from example:todo"
    assert conversion.data["body"] == f"Not found: todo {ID}"
    assert (conversion.data["status"], conversion.fates["title"]) == ("planned", "defaulted")


def test_a_done_row_without_a_time_occurred_with_its_last_change() -> None:
    conversion = todo(title="T", status="done")
    assert conversion.data["occurredAt"] == format_instant(NOW - timedelta(days=1))
    assert conversion.fates["occurred_at"] == "defaulted"


@pytest.mark.parametrize(
    ("given", "status", "fate"),
    [("done", "done", "copied"), ("Completed", "done", "normalised"), ("cancelled", "canceled", "normalised"),
     ("planned", "planned", "copied"), ("in_progress", "planned", "normalised")],
)  # fmt: skip
def test_a_status_of_another_system_is_mapped(given: str, status: str, fate: str) -> None:
    conversion = converted(kind="interaction", status=given)
    assert (conversion.data["status"], conversion.fates["status"]) == (status, fate)
    assert conversion.data["source"] == "migration:interaction"


def test_what_could_not_be_read_is_reported() -> None:
    fates = converted(StoredFacts(customer_known=False, deal_known=False, types=None),
                      unreadable=["occurred_at"], deal_id=ID, appearance_color="red").fates  # fmt: skip
    assert fates["occurred_at"] == fates["deal_id"] == fates["appearance_color"] == "dropped"
    assert fates["entity_id"] == "defaulted"


def test_a_move_has_one_command_id_however_often_it_is_tried() -> None:
    data = {"id": ID, "interactionType": "call", "title": "Old"}
    first = legacy_rows.command_id("t", "o", ID, data)
    assert first == legacy_rows.command_id("t", "o", ID, dict(reversed(data.items())))
    # A command that was rejected under older rules does not block the one that today's rules derive, nor
    # does one that was rolled back.
    others = [
        legacy_rows.command_id("t", "p", ID, data),
        legacy_rows.command_id("t", "o", ID, {**data, "title": "New"}),
        legacy_rows.command_id("t", "o", ID, data, 2),
    ]
    assert len({first, *others}) == 4


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("Call / Email", "call_email", None),
        ("  Follow-up  Call ", "follow_up_call", None),
        ("#1 (urgent!)", "1_urgent", None),
        ("x" * 300, "x" * 100, None),
        (".NET demo", "net_demo", None),
        ("???", "note", "???"),
        ("", "note", None),
    ],
)
def test_a_type_becomes_a_code(text: str, code: str, said: str | None) -> None:
    data = moved(interaction_type=text, body="B")
    assert (data["interactionType"], data["body"]) == (code, f"B\n\nType: {said}" if said else "B")


def test_a_strict_dictionary_gets_no_new_type() -> None:
    strict = StoredFacts(customer_known=True, deal_known=True, types=frozenset({"call", "note"}))
    assert moved(strict)["interactionType"] == "call"
    data = moved(strict, interaction_type="Site visit", body="x" * 20_000)
    assert data["interactionType"] == "note"
    assert data["body"].endswith("…\n\nType: Site visit")
    assert len(data["body"]) == 10_000


@pytest.mark.parametrize(
    ("text", "color"),
    [("red", None), ("#abc", "#aabbcc"), ("AABBCC", "#AABBCC"), (" #112233 ", "#112233"),
     ("#11223344", "#112233"), ("#11223", None), ("", None), ("#112233\n", "#112233")],
)  # fmt: skip
def test_a_colour_is_read_or_left_out(text: str, color: str | None) -> None:
    assert moved(appearance_color=text).get("appearanceColor") == color


def test_what_does_not_fit_is_cut_or_left_out() -> None:
    facts = StoredFacts(customer_known=True, deal_known=False, types=None)
    data = moved(
        facts,
        title="t" * 501,
        body="b" * 10_001,
        deal_id="50000000-0000-4000-8000-000000000001",
        appearance_icon="i" * 101,
        occurred_at=datetime(1, 1, 3, tzinfo=UTC),
        created_at=datetime(9999, 12, 29, tzinfo=UTC),
        updated_at=NOW + timedelta(days=1),
    )
    assert (data["title"], data["body"]) == ("t" * 499 + "…", "b" * 9999 + "…")
    left_out = {"dealId", "appearanceIcon", "occurredAt", "createdAt", "sourceTimestamp"}
    assert not left_out & set(data)


instants = st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))
texts = st.none() | st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=700)


@given(
    interaction_type=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])),
    title=texts,
    body=texts.map(lambda text: text and text * 30),
    appearance_icon=texts,
    appearance_color=texts,
    occurred_at=st.none() | instants,
    created_at=instants,
    updated_at=instants,
    types=st.none() | st.just(frozenset({"call", "note"})),
    kind=st.sampled_from(["activity", "todo", "interaction"]),
    found=st.booleans(),
    status=st.text(max_size=9) | st.sampled_from(["done", "planned"]),
    priority=st.none() | st.text(max_size=9) | st.integers().map(str),
    severity=st.none() | st.text(max_size=9),
)
def test_any_row_can_be_moved(types: frozenset[str] | None, **changes: Any) -> None:
    kind = changes.pop("kind")
    moved(
        StoredFacts(customer_known=False, deal_known=False, types=types),
        **changes,
        kind=kind,
        todo_id=ID,
        todo_source="example:todo",
    )


def test_an_unknown_customer_has_a_placeholder() -> None:
    entity = "30000000-0000-4000-8000-000000000001"
    assert EntityUpsert.model_validate(placeholder(entity)).display_name == "Unknown customer 30000000"
    assert EntityUpsert.model_validate(placeholder(placeholder_ids("t", "o", entity)[1])).id != entity
