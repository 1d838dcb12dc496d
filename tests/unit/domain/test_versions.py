"""expectedVersion, entity versions, and validateOnly, which reports the outcome without writing."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from domain.results import result_of
from tests.unit.domain.commands import ADA, Publisher, at, deal_id, events_of, interaction_id
from tests.unit.domain.comparison import check_shape

ONE = {"id": interaction_id(1)}


@pytest.mark.parametrize("verb", ["update", "complete", "cancel", "delete"])
def test_another_version_than_expected_is_a_conflict(log: Publisher, verb: str) -> None:
    log.plan(1)
    data = {**ONE, "title": "x"} if verb == "update" else ONE
    refused = log.refused("version_conflict", f"interaction.{verb}", {**data, "expectedVersion": 2})
    assert result_of(refused)["problem"]["currentVersion"] == 1
    assert result_of(refused)["problem"]["status"] == 409
    check_shape(refused)
    log.applied(f"interaction.{verb}", {**data, "expectedVersion": 1})


def test_the_expected_version_may_come_with_the_envelope(log: Publisher) -> None:
    log.plan(1)
    log.refused("version_conflict", "interaction.cancel", ONE, expectedversion="4")


def test_a_conflict_goes_before_the_rules(log: Publisher) -> None:
    log.plan(1, status="done")
    log.refused("version_conflict", "interaction.complete", {**ONE, "expectedVersion": 9})


def test_of_a_create_only_version_0_can_be_expected(log: Publisher) -> None:
    data = {"interactionType": "call"}
    refused = log.refused("version_conflict", "interaction.create", {**data, "expectedVersion": 1})
    assert result_of(refused)["problem"]["currentVersion"] == 0
    log.applied("interaction.create", {**data, "expectedVersion": 0})


def test_of_an_entity_its_own_version_is_expected(log: Publisher) -> None:
    log.plan(1)
    data = {"id": ADA, "kind": "company", "displayName": "Ada"}
    refused = log.refused("version_conflict", "entity.upsert", {**data, "expectedVersion": 1})
    assert result_of(refused)["problem"]["currentVersion"] == 2
    log.refused("version_conflict", "interaction.recompute_next", {"expectedVersion": 1})
    log.applied("entity.upsert", {**data, "expectedVersion": 2})


def test_every_applied_command_on_a_customer_moves_its_version_by_one(log: Publisher) -> None:
    versions = [log.work.entities[ADA].entity_version]
    steps: list[tuple[str, dict[str, Any]]] = [
        ("interaction.create", {**ONE, "interactionType": "call", "scheduledAt": at(60)}),
        ("interaction.update", {**ONE, "title": "x"}),
        ("interaction.mark_due", {**ONE, "scheduleVersion": 1, "phase": "due"}),
        ("interaction.complete", ONE),
        ("interaction.reopen", ONE),
        ("interaction.cancel", ONE),
        ("interaction.delete", ONE),
        ("interaction.undo", {"commandId": "interaction.delete"}),
        ("entity.upsert", {"id": ADA, "kind": "person", "displayName": "Grace"}),
    ]
    for kind, data in steps:
        decision = log.applied(kind, data, command_id=kind)
        versions.append(log.work.entities[ADA].entity_version)
        assert decision.entry.entity_version == result_of(decision)["entityVersion"] == versions[-1]
        assert all(event.payload["entityVersion"] == versions[-1] for event in events_of(decision))
    assert versions == list(range(1, 11))
    log.send("interaction.update", {**ONE, "title": "x"})
    log.send("interaction.reopen", {"id": interaction_id(9)})
    log.applied("deal.upsert", {"id": deal_id(1), "title": "x"})
    assert log.work.entities[ADA].entity_version == 10


VALIDATED: list[tuple[str, dict[str, Any]]] = [
    ("interaction.create", {"interactionType": "new_type", "scheduledAt": at(1)}),
    ("interaction.update", {**ONE, "title": "x"}),
    ("interaction.complete", ONE),
    ("interaction.cancel", ONE),
    ("interaction.delete", ONE),
    ("interaction.undo", {"commandId": "created"}),
    ("interaction.mark_due", {**ONE, "scheduleVersion": 1, "phase": "overdue"}),
    ("entity.upsert", {"id": ADA, "kind": "person", "displayName": "Grace"}),
    ("deal.upsert", {"id": deal_id(1), "title": "x"}),
]


@pytest.mark.parametrize(("kind", "data"), VALIDATED)
def test_validate_only_says_what_would_happen_and_writes_nothing(
    log: Publisher, kind: str, data: dict[str, Any]
) -> None:
    create = {**ONE, "interactionType": "call", "scheduledAt": at(60)}
    log.applied("interaction.create", create, command_id="created")
    before = copy.deepcopy(log.work.__dict__)
    validated = log.send(kind, {**data, "validateOnly": True})
    assert (validated.outcome, validated.logged, events_of(validated)) == ("applied", False, ())
    assert {name: repr(value) for name, value in log.work.__dict__.items() if name != "_indexes"} == {
        name: repr(value) for name, value in before.items() if name != "_indexes"
    }
    assert (result_of(validated)["undoToken"], result_of(validated)["invalidates"]) == (None, [])
    check_shape(validated)
    done = log.applied(kind, data)
    for member in ("outcome", "version", "entityVersion", "nextInteraction"):
        if member != "nextInteraction" or kind != "interaction.create":
            assert result_of(validated)[member] == result_of(done)[member]
    assert (result_of(validated)["validateOnly"], result_of(done)["validateOnly"]) == (True, False)


def test_validate_only_tells_a_rejection_without_logging_it(log: Publisher) -> None:
    refused = log.refused("interaction_not_found", "interaction.complete", {**ONE, "validateOnly": True})
    assert (refused.logged, result_of(refused)["validateOnly"]) == (False, True)


def test_validate_only_tells_a_no_op(log: Publisher) -> None:
    log.plan(1)
    decision = log.send("interaction.update", {**ONE, "title": None, "validateOnly": True})
    assert (decision.outcome, decision.logged) == ("no_op", False)
