"""Rows of another tenant or organization are indistinguishable from rows that do not exist."""

from __future__ import annotations

from typing import Any

import pytest

from domain.results import result_of
from tests.unit.domain.commands import ADA, BOB, FOREIGN, Publisher, deal_id, interaction_id

ONE = {"id": interaction_id(1)}
STRANGER = {"entity": BOB, "organization": FOREIGN}


@pytest.fixture
def both(log: Publisher) -> Publisher:
    """Ada with an interaction and a deal; Bob in another organization."""
    log.customer(BOB, FOREIGN)
    log.plan(1, 60)
    log.applied("deal.upsert", {"id": deal_id(1), "title": "Deal"})
    return log


@pytest.mark.parametrize("verb", ["update", "complete", "cancel", "reopen", "delete"])
@pytest.mark.parametrize("version", [{}, {"expectedVersion": 7}])
def test_a_foreign_interaction_is_answered_like_an_unknown_one(
    both: Publisher, verb: str, version: dict[str, int]
) -> None:
    data = {"title": "x"} if verb == "update" else {}
    problems = []
    for identity in (interaction_id(1), interaction_id(99)):
        named = {"id": identity, **data, **version}
        refused = both.refused("interaction_not_found", f"interaction.{verb}", named, **STRANGER)
        problems.append(result_of(refused)["problem"])
    assert problems[0] == problems[1]
    # Also for a publisher that names the right entity from the wrong organization.
    both.refused("interaction_not_found", f"interaction.{verb}", {**ONE, **data}, organization=FOREIGN)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("interaction.create", {"interactionType": "call"}),
        ("interaction.recompute_next", {}),
        ("deal.upsert", {"id": deal_id(2), "title": "x"}),
    ],
)
def test_a_foreign_customer_is_unknown(both: Publisher, kind: str, data: dict[str, Any]) -> None:
    both.refused("entity_not_found", kind, data, entity=ADA, organization=FOREIGN)


def test_a_foreign_deal_is_unknown(both: Publisher) -> None:
    data = {"interactionType": "call", "dealId": deal_id(1)}
    both.refused("deal_not_found", "interaction.create", data, **STRANGER)


@pytest.mark.parametrize(
    ("kind", "data", "options"),
    [
        ("interaction.create", {**ONE, "interactionType": "call"}, STRANGER),
        ("deal.upsert", {"id": deal_id(1), "title": "x"}, STRANGER),
        (
            "entity.upsert",
            {"id": ADA, "kind": "person", "displayName": "Mine now"},
            {"entity": ADA, "organization": FOREIGN},
        ),
    ],
)
def test_an_id_that_is_in_use_elsewhere_is_not_available(
    both: Publisher, kind: str, data: dict[str, Any], options: dict[str, str]
) -> None:
    before = (dict(both.work.interactions), dict(both.work.deals), dict(both.work.entities))
    both.refused("id_not_available", kind, data, **options)
    assert before == (both.work.interactions, both.work.deals, both.work.entities)


def test_a_timer_for_a_foreign_interaction_does_nothing(both: Publisher) -> None:
    data = {**ONE, "scheduleVersion": 1, "phase": "due"}
    assert both.send("interaction.mark_due", data, **STRANGER).outcome == "no_op"
    assert both.send("interaction.mark_due", data, entity=ADA, organization=FOREIGN).outcome == "no_op"
    assert both.work.interactions[interaction_id(1)].due_phase == 0


def test_command_ids_are_one_scope_s_own(both: Publisher) -> None:
    data = {"interactionType": "call"}
    both.applied("interaction.create", data, command_id="same")
    both.applied("interaction.create", data, command_id="same", **STRANGER)
