"""Conversion rules: every legacy row becomes a create command that is accepted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.legacy_rows import StoredFacts, create_data, placeholder, placeholder_id
from schemas.payloads import EntityUpsert, InteractionCreate

ID = "40000000-0000-4000-8000-000000000001"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KNOWN = StoredFacts(customer_known=True, deal_known=True, types=None)


def row(**changes: Any) -> dict[str, Any]:
    """A legacy activity, with the columns of the views."""
    base: dict[str, Any] = dict.fromkeys(
        ("title", "body", "scheduled_at", "occurred_at", "priority", "deal_id", "author_user_id",
         "appearance_icon", "appearance_color")
    )  # fmt: skip
    base |= {"id": ID, "interaction_type": "call", "status": "planned", "source": "legacy:activity"}
    return {**base, "created_at": NOW - timedelta(days=9), "updated_at": NOW - timedelta(days=1), **changes}


def moved(facts: StoredFacts = KNOWN, **changes: Any) -> dict[str, Any]:
    data = create_data(row(**changes), facts, NOW)
    InteractionCreate.model_validate(data)
    return data


def test_a_row_within_the_limits_is_kept_as_it_is() -> None:
    deal = "50000000-0000-4000-8000-000000000001"
    given_row: dict[str, Any] = {
        "title": "T",
        "body": "B",
        "deal_id": deal,
        "occurred_at": NOW,
        "status": "done",
    }
    assert moved(**given_row, appearance_color="#AAbb00", appearance_icon="phone") == {
        "id": ID, "interactionType": "call", "title": "T", "body": "B", "status": "done", "occurredAt": NOW,
        "dealId": deal, "appearanceIcon": "phone", "appearanceColor": "#AAbb00",
        "source": "migration:activity", "createdAt": NOW - timedelta(days=9),
        "sourceTimestamp": NOW - timedelta(days=1),
    }  # fmt: skip
    assert moved(source="legacy:todo_link")["source"] == "migration:todo_link"


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
)
def test_any_row_can_be_moved(types: frozenset[str] | None, **changes: Any) -> None:
    moved(StoredFacts(customer_known=False, deal_known=False, types=types), **changes)


def test_an_unknown_customer_has_a_placeholder() -> None:
    entity = "30000000-0000-4000-8000-000000000001"
    assert EntityUpsert.model_validate(placeholder(entity)).display_name == "Unknown customer 30000000"
    assert EntityUpsert.model_validate(placeholder(placeholder_id("t", "o", entity))).id != entity
