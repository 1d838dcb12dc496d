"""The dictionary of interaction types: defaults, open or strict, relabeling."""

from __future__ import annotations

from typing import Any

import pytest

from domain.decision import Decision
from domain.default_types import DEFAULT_TYPES, default_types
from domain.model import Dictionary, TypeEntry
from domain.record_set import Changes
from domain.results import result_of
from schemas.type_codes import normalize_interaction_type
from tests.unit.domain.commands import (
    ADA,
    BOB,
    FOREIGN,
    ORGANIZATION,
    TENANT,
    Publisher,
    at,
    events_of,
    interaction_id,
)

SCOPE = (TENANT, ORGANIZATION)


def upsert(log: Publisher, code: str, **change: Any) -> Decision:
    data = {"interactionType": code, **change}
    return log.send("interaction_type.upsert", data, entity=ORGANIZATION)


def entries(decision: Decision) -> list[Any]:
    """Dictionary entries that a decision writes."""
    return [row for row in decision.writes if isinstance(row, TypeEntry)]


def create(log: Publisher, code: str) -> Decision:
    return log.send("interaction.create", {"interactionType": code, "scheduledAt": at(60)})


def test_the_defaults_are_whole() -> None:
    assert {"call", "email", "meeting", "task", "note"} <= set(DEFAULT_TYPES)
    for code, entry in DEFAULT_TYPES.items():
        assert code == entry.code == normalize_interaction_type(code)
        assert entry.label
        assert entry.icon
        assert entry.color
    assert {entry.actionable for entry in DEFAULT_TYPES.values()} == {True, False}


def test_the_first_use_of_a_scope_writes_its_defaults_and_no_later_use(log: Publisher) -> None:
    assert log.work.types.changes() == Changes()
    create(log, "call")
    defaults = list(default_types(*SCOPE).values())
    assert log.work.types.changes() == Changes(defaults)
    again = Publisher()
    again.customer()
    again.work.scopes.add(SCOPE)
    for entry in defaults:
        again.work.types.load(entry)
    create(again, "call")
    assert again.work.types.changes() == Changes()


def test_a_default_that_the_scope_has_no_row_of_is_written_when_used(log: Publisher) -> None:
    log.work.scopes.add(SCOPE)
    log.work.dictionaries.load(Dictionary(*SCOPE, strict=True))
    decision = create(log, "call")
    assert decision.outcome == "applied"
    assert log.work.types.changes() == Changes([default_types(*SCOPE)["call"]])


def test_an_unknown_type_is_added_with_defaults(log: Publisher) -> None:
    decision = create(log, "Site  Visit-2")
    assert entries(decision) == [TypeEntry(*SCOPE, "site_visit_2", "Site visit 2")]
    assert result_of(decision)["nextInteraction"]["name"] == "Site visit 2"
    assert entries(create(log, "site_visit_2")) == []


@pytest.mark.parametrize("kind", ["create", "update"])
def test_a_strict_dictionary_refuses_unknown_types(log: Publisher, kind: str) -> None:
    log.plan(1)
    upsert(log, "call", strict=True)
    assert log.work.dictionaries.changes() == Changes([Dictionary(*SCOPE, strict=True)])
    data = {"interactionType": "demo", **({"id": interaction_id(1)} if kind == "update" else {})}
    refused = log.refused("unknown_interaction_type", f"interaction.{kind}", data)
    assert result_of(refused)["problem"]["status"] == 422
    assert refused.writes == ()
    assert create(log, "email").outcome == "applied"
    upsert(log, "demo")
    assert create(log, "demo").outcome == "applied"
    upsert(log, "call", strict=False)
    assert create(log, "anything").outcome == "applied"


def test_a_dictionary_is_one_scope_s_own(log: Publisher) -> None:
    log.customer(BOB, FOREIGN)
    upsert(log, "call", strict=True, label="Ring")
    data = {"interactionType": "demo", "scheduledAt": at(60)}
    assert log.send("interaction.create", data, entity=BOB, organization=FOREIGN).outcome == "applied"
    data = {"interactionType": "call", "scheduledAt": at(1)}
    decision = log.send("interaction.create", data, entity=BOB, organization=FOREIGN)
    assert result_of(decision)["nextInteraction"]["name"] == "Call"


@pytest.mark.parametrize(
    ("change", "relabeled"),
    [
        ({"label": "Ring"}, "call"),
        ({"icon": "bell"}, "call"),
        ({"icon": None}, "call"),
        ({"color": "#000000"}, "call"),
        ({"actionable": False}, None),
        ({"strict": True}, None),
    ],
)
def test_a_changed_look_asks_for_a_refresh(
    log: Publisher, change: dict[str, Any], relabeled: str | None
) -> None:
    decision = upsert(log, "call", **change)
    assert (decision.outcome, decision.relabeled) == ("applied", relabeled)
    created = ["customers.interaction_type.created"] if "strict" not in change else []
    assert [event.type for event in events_of(decision)] == created


def test_a_changed_dictionary_invalidates_whatever_shows_a_type(log: Publisher) -> None:
    list_tag = f"customers:interaction:list:{TENANT}:{ORGANIZATION}"
    types_tag = f"customers:interaction-types:{TENANT}:{ORGANIZATION}"
    assert result_of(upsert(log, "call", label="Ring"))["invalidates"] == [list_tag, types_tag]
    assert types_tag in result_of(log.plan(1, interactionType="site visit"))["invalidates"], (
        "it adds the type"
    )
    assert types_tag not in result_of(log.plan(2, interactionType="site visit"))["invalidates"]


def test_fields_not_given_keep_their_value(log: Publisher) -> None:
    upsert(log, "call", label="Ring")
    decision = upsert(log, "call", icon="bell")
    assert entries(decision) == [TypeEntry(*SCOPE, "call", "Ring", "bell", "#2563EB", actionable=True)]


def test_an_upsert_that_changes_nothing(log: Publisher) -> None:
    assert upsert(log, "call", label="Call", strict=False).outcome == "no_op"
    assert upsert(log, "new").outcome == "applied"
    assert upsert(log, "new").outcome == "no_op"


def test_a_new_label_shows_at_the_next_repair(log: Publisher) -> None:
    log.plan(1, 60)
    upsert(log, "call", label="Ring")
    before = log.work.entities[ADA].next
    assert before is not None
    assert before.name == "Call"
    decision = log.applied("interaction.recompute_next")
    assert result_of(decision)["nextInteraction"]["name"] == "Ring"


def test_a_version_cannot_be_expected_of_an_entry(log: Publisher) -> None:
    assert upsert(log, "call", label="x", expectedVersion=1).outcome == "rejected"
    for known in ("call", "demo"):
        upsert(log, "demo", label="Demo")
        refused = upsert(log, known, label="x", expectedVersion=0)
        assert result_of(refused)["problem"]["code"] == "version_conflict", "0: there is no such entry yet"
    assert upsert(log, "brew", label="x", expectedVersion=0).outcome == "applied"
