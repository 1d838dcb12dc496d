"""planned → done | canceled → planned: effects of each transition, and the codes of illegal ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.model import Interaction
from domain.record_set import Changes
from domain.results import result_of
from schemas.identity import derive_id
from tests.unit.domain.commands import (
    ADA,
    BOB,
    ORGANIZATION,
    START,
    TENANT,
    Publisher,
    at,
    events_of,
    interaction_id,
)

ONE = {"id": interaction_id(1)}
PATHS: dict[str, list[str]] = {"planned": [], "done": ["complete"], "canceled": ["cancel"]}

#: Prefix of the types of lifecycle events.
OF_AN_INTERACTION = "customers.interaction."


def row(log: Publisher, number: int = 1) -> Interaction:
    return log.work.interactions[interaction_id(number)]


def bring(log: Publisher, status: str) -> None:
    log.plan(1, 60)
    for verb in PATHS[status]:
        log.applied(f"interaction.{verb}", ONE)


@pytest.mark.parametrize(
    ("given", "status", "occurred"),
    [
        ({}, "planned", None),
        ({"occurredAt": at(-5)}, "done", at(-5)),
        ({"status": "done"}, "done", at(1)),
        ({"status": "done", "occurredAt": at(-5)}, "done", at(-5)),
        ({"status": "done", "sourceTimestamp": at(-9)}, "done", at(-9)),
        ({"status": "planned", "occurredAt": at(-5)}, "planned", at(-5)),
        ({"status": "canceled"}, "canceled", None),
    ],
)
def test_create_takes_its_status_as_given_else_from_occurred_at(
    log: Publisher, given: dict[str, Any], status: str, occurred: str | None
) -> None:
    decision = log.plan(1, **given)
    payload = events_of(decision)[0].payload
    assert (payload["after"]["status"], payload["after"]["occurredAt"]) == (status, occurred)
    assert events_of(decision)[0].type == "customers.interaction.created"
    assert payload["before"] is None


def test_create_without_an_id_derives_it_from_the_command(log: Publisher) -> None:
    decision = log.applied("interaction.create", {"interactionType": "call"}, command_id="retry-me")
    assert decision.entry.interaction_id == derive_id("interaction", TENANT, ORGANIZATION, "retry-me")


def test_create_dates_everything_by_the_log(log: Publisher) -> None:
    log.minutes = 30
    log.plan(1, sourceTimestamp=at(20))
    made = row(log)
    assert made.created_at == made.updated_at == START + timedelta(minutes=30)
    assert made.status_as_of == made.scheduled_as_of == made.occurred_as_of == START + timedelta(minutes=20)


@pytest.mark.parametrize(("given", "kept"), [(10, 10), (30, 30), (31, 30)])
def test_create_keeps_when_it_was_created_elsewhere(log: Publisher, given: float, kept: float) -> None:
    log.minutes = 30
    log.plan(1, createdAt=at(given))
    assert row(log).created_at == START + timedelta(minutes=kept)
    assert row(log).updated_at == START + timedelta(minutes=30)


@pytest.mark.parametrize(("given", "kept"), [(10, 10), (30, 30), (31, 30)])
def test_a_migrated_interaction_keeps_its_last_change(log: Publisher, given: float, kept: float) -> None:
    log.minutes = 30
    log.plan(1, updatedAt=at(given), source="migration:activity")
    assert row(log).updated_at == START + timedelta(minutes=kept)


@pytest.mark.parametrize("source", [{}, {"source": "manual"}, {"source": "migrations"}])
def test_only_a_migrated_interaction_has_a_given_last_change(log: Publisher, source: dict[str, str]) -> None:
    log.refused(
        "history_not_allowed",
        "interaction.create",
        {**ONE, "interactionType": "call", "updatedAt": at(1), **source},
    )


@pytest.mark.parametrize(
    ("scheduled", "source", "phase"),
    [
        (29, "migration:todo_link", 2),
        (30, "migration:todo_link", 2),
        (31, "migration:todo_link", 0),
        (29, "manual", 0),
    ],
)
def test_a_migrated_interaction_announces_no_past_schedule(
    log: Publisher, scheduled: float, source: str, phase: int
) -> None:
    log.minutes = 30
    log.plan(1, scheduledAt=at(scheduled), source=source)
    assert row(log).due_phase == phase
    assert log.work.entities[row(log).entity_id].overdue_count == (phase == 2)


def test_create_for_an_unknown_customer_is_refused(log: Publisher) -> None:
    log.refused("entity_not_found", "interaction.create", {"interactionType": "call"}, entity=BOB)


def test_create_under_an_id_in_use_is_refused(log: Publisher) -> None:
    log.plan(1)
    log.refused("interaction_exists", "interaction.create", {**ONE, "interactionType": "call"})


def test_create_under_the_id_of_a_deleted_interaction_goes_on_with_its_versions(log: Publisher) -> None:
    log.plan(1)
    log.applied("interaction.delete", ONE)
    assert result_of(log.plan(1))["version"] == 3
    assert row(log).schedule_version == 3


@pytest.mark.parametrize(
    ("status", "verb", "code"),
    [
        ("done", "complete", "already_done"),
        ("done", "cancel", "cancel_done"),
        ("canceled", "complete", "complete_canceled"),
        ("canceled", "cancel", "already_canceled"),
        ("planned", "reopen", "already_planned"),
    ],
)
def test_an_illegal_turn_is_refused_by_its_name(log: Publisher, status: str, verb: str, code: str) -> None:
    bring(log, status)
    before = row(log)
    decision = log.refused(code, f"interaction.{verb}", ONE)
    assert result_of(decision)["problem"]["status"] == 409
    assert row(log) is before


@pytest.mark.parametrize(
    ("status", "verb", "after", "event"),
    [
        ("planned", "complete", "done", "completed"),
        ("planned", "cancel", "canceled", "canceled"),
        ("done", "reopen", "planned", "reopened"),
        ("canceled", "reopen", "planned", "reopened"),
    ],
)
def test_a_legal_turn_changes_the_status_and_says_so_once(
    log: Publisher, status: str, verb: str, after: str, event: str
) -> None:
    bring(log, status)
    version = row(log).version
    decision = log.applied(f"interaction.{verb}", ONE)
    assert row(log).status == after
    assert row(log).version == version + 1 == result_of(decision)["version"]
    lifecycle = [item for item in events_of(decision) if item.type.startswith(OF_AN_INTERACTION)]
    assert [item.type for item in lifecycle] == [f"customers.interaction.{event}"]
    assert "status" in lifecycle[0].payload["changedFields"]


@pytest.mark.parametrize(
    ("status", "wanted", "event", "occurred"),
    [
        ("planned", "done", "completed", at(2)),
        ("planned", "canceled", "canceled", None),
        ("done", "planned", "reopened", None),
        ("done", "canceled", "canceled", at(2)),
        ("canceled", "planned", "reopened", None),
        ("canceled", "done", "completed", at(3)),
    ],
)
def test_an_update_changes_fields_and_status_as_one(
    log: Publisher, status: str, wanted: str, event: str, occurred: str | None
) -> None:
    bring(log, status)
    version = row(log).version
    decision = log.applied("interaction.update", {**ONE, "title": "Both", "status": wanted})
    assert (row(log).status, row(log).title, row(log).version) == (wanted, "Both", version + 1)
    assert [item.type for item in events_of(decision) if item.type.startswith(OF_AN_INTERACTION)] == [
        f"customers.interaction.{event}"
    ]
    payload = events_of(decision)[0].payload
    assert (payload["reason"], payload["after"]["occurredAt"]) == (event, occurred)
    assert {"status", "title"} <= set(payload["changedFields"])
    log.applied("interaction.undo", {"commandId": decision.command.envelope.id})
    assert (row(log).status, row(log).title) == (status, None)


def test_an_update_is_refused_as_a_whole(log: Publisher) -> None:
    bring(log, "planned")
    before = row(log)
    data = {**ONE, "title": "Both", "status": "done", "dealId": interaction_id(9)}
    log.refused("deal_not_found", "interaction.update", data)
    log.refused("validation_failed", "interaction.update", {**ONE, "title": "x", "status": None})
    log.refused("validation_failed", "interaction.update", {**ONE, "clear": ["status"]})
    assert row(log) == before


def test_an_update_to_the_stored_status_changes_nothing_of_it(log: Publisher) -> None:
    bring(log, "done")
    before = row(log)
    assert log.send("interaction.update", {**ONE, "status": "done"}).outcome == "no_op"
    decision = log.applied("interaction.update", {**ONE, "status": "done", "title": "Known"})
    assert events_of(decision)[0].type == "customers.interaction.updated"
    assert (row(log).occurred_at, row(log).status_as_of) == (before.occurred_at, before.status_as_of)


def test_an_update_to_planned_arms_the_schedule_again(log: Publisher) -> None:
    bring(log, "done")
    log.applied("interaction.update", {**ONE, "status": "planned"})
    assert row(log).schedule_version == row(log).version


def test_complete_occurred_as_told_else_when_its_source_says(log: Publisher) -> None:
    log.plan(1)
    log.plan(2)
    log.plan(3)
    log.applied("interaction.complete", {**ONE, "occurredAt": at(-90)})
    log.applied("interaction.complete", {"id": interaction_id(2), "sourceTimestamp": at(4.5)})
    log.minutes = 50
    log.applied("interaction.complete", {"id": interaction_id(3)})
    occurred = [row(log, number).occurred_at for number in (1, 2, 3)]
    assert occurred == [START + timedelta(minutes=minutes) for minutes in (-90, 4.5, 50)]


def test_reopen_clears_when_it_occurred(log: Publisher) -> None:
    bring(log, "done")
    log.applied("interaction.reopen", ONE)
    assert row(log).occurred_at is None


def test_cancel_keeps_the_schedule(log: Publisher) -> None:
    bring(log, "canceled")
    assert row(log).scheduled_at == START + timedelta(minutes=60)


@pytest.mark.parametrize("status", ["planned", "done", "canceled"])
def test_delete_removes_the_row_from_any_status_and_has_a_version_of_its_own(
    log: Publisher, status: str
) -> None:
    bring(log, status)
    version = row(log).version
    decision = log.applied("interaction.delete", ONE)
    assert interaction_id(1) not in log.work.interactions
    event = events_of(decision)[0]
    assert (event.type, event.payload["version"]) == ("customers.interaction.deleted", version + 1)
    assert event.payload["after"] is None
    assert event.payload["before"]["status"] == status


@pytest.mark.parametrize("verb", ["update", "complete", "cancel", "reopen", "delete"])
def test_an_unknown_interaction_is_refused_and_no_row_made(log: Publisher, verb: str) -> None:
    data = {**ONE, "title": "x"} if verb == "update" else ONE
    decision = log.refused("interaction_not_found", f"interaction.{verb}", data)
    assert result_of(decision)["problem"]["status"] == 404
    assert decision.logged
    assert log.work.interactions.changes() == Changes()


@pytest.mark.parametrize("verb", ["update", "complete", "cancel", "reopen", "delete"])
def test_an_interaction_of_another_customer_is_refused(log: Publisher, verb: str) -> None:
    log.customer(BOB)
    log.plan(1)
    log.refused("entity_mismatch", f"interaction.{verb}", ONE, entity=BOB)


def test_update_changes_what_it_names_and_nothing_else(log: Publisher) -> None:
    log.plan(1, 60, title="Old", body="Kept")
    decision = log.applied("interaction.update", {**ONE, "title": "New", "priority": 3})
    after = row(log)
    assert (after.title, after.body, after.priority) == ("New", "Kept", 3)
    assert events_of(decision)[0].payload["changedFields"] == ["title", "priority"]


def test_update_empties_by_null_and_by_clear(log: Publisher) -> None:
    log.plan(1, 60, title="Old", body="Old")
    log.applied("interaction.update", {**ONE, "title": None, "clear": ["body", "scheduledAt"]})
    assert (row(log).title, row(log).body, row(log).scheduled_at) == (None, None, None)


def test_update_may_move_occurred_at_in_any_status(log: Publisher) -> None:
    bring(log, "done")
    log.applied("interaction.update", {**ONE, "occurredAt": at(-30)})
    assert row(log).occurred_at == START + timedelta(minutes=-30)
    assert row(log).status == "done"


def test_update_to_the_same_values_is_no_change(log: Publisher) -> None:
    log.plan(1, 60, title="Same")
    entity = log.work.entities[ADA]
    decision = log.send("interaction.update", {**ONE, "title": "Same", "scheduledAt": at(60)})
    assert (decision.outcome, events_of(decision)) == ("no_op", ())
    assert result_of(decision)["version"] == 1
    assert log.work.entities[ADA] is entity


@pytest.mark.parametrize("kind", ["interaction.create", "interaction.update"])
def test_a_deal_must_be_known_and_of_the_same_customer(log: Publisher, kind: str) -> None:
    log.customer(BOB)
    deal = "50000000-0000-4000-8000-000000000001"
    log.plan(1)
    data = {**ONE, "dealId": deal} if kind.endswith("update") else {"interactionType": "call", "dealId": deal}
    log.refused("deal_not_found", kind, data)
    log.applied("deal.upsert", {"id": deal, "title": "Big"}, entity=BOB)
    log.refused("deal_of_other_entity", kind, data)
