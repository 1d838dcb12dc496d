"""Undo per command: its compensating event, and every reason for its rejection."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.decision import Decision
from domain.model import Interaction
from domain.results import result_of
from domain.undo_image import command_id_of, undo_token
from tests.unit.domain.commands import (
    ADA,
    BOB,
    FOREIGN,
    START,
    Publisher,
    at,
    deal_id,
    events_of,
    interaction_id,
)

ONE = {"id": interaction_id(1)}
#: Fields that can differ after a command was undone.
STAMPS = ("version", "updated_at", "status_as_of", "scheduled_as_of", "occurred_as_of", "schedule_version")


def row(log: Publisher) -> Interaction:
    return log.work.interactions[interaction_id(1)]


def content(row: Interaction) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Interaction.__struct_fields__ if name not in STAMPS}


def undo(log: Publisher, decision: Decision, **options: Any) -> Decision:
    return log.applied("interaction.undo", {"undoToken": result_of(decision)["undoToken"]}, **options)


def event(decision: Decision) -> tuple[str, str]:
    return events_of(decision)[0].type.rpartition(".")[2], events_of(decision)[0].payload["reason"]


def test_undo_of_create_deletes_the_row(log: Publisher) -> None:
    decision = undo(log, log.plan(1, 60))
    assert interaction_id(1) not in log.work.interactions
    assert event(decision) == ("deleted", "undo")
    assert log.work.entities[ADA].next is None
    assert events_of(decision)[1].payload["reason"] == "undo"


def test_undo_of_delete_brings_the_same_row_back(log: Publisher) -> None:
    log.plan(1, 60, title="Kept", priority=4, sourceTimestamp=at(-3))
    before = row(log)
    decision = undo(log, log.applied("interaction.delete", ONE))
    assert content(row(log)) == content(before)
    assert row(log).scheduled_as_of == before.scheduled_as_of
    assert (event(decision), row(log).version) == (("created", "undo"), 3)
    assert log.next_number == 1


@pytest.mark.parametrize(
    ("verb", "data"),
    [
        ("update", {"title": "New", "scheduledAt": at(99), "priority": None, "interactionType": "task"}),
        ("complete", {"occurredAt": at(3)}),
        ("complete", {}),
        ("cancel", {}),
    ],
)
def test_undo_restores_the_previous_fields(log: Publisher, verb: str, data: dict[str, Any]) -> None:
    log.plan(1, 60, title="Old", priority=4)
    before, projected = row(log), log.work.entities[ADA].next
    decision = undo(log, log.applied(f"interaction.{verb}", {**ONE, **data}))
    assert content(row(log)) == content(before)
    assert (event(decision), row(log).version) == (("reverted", "undo"), 3)
    assert log.work.entities[ADA].next == projected
    assert log.work.entities[ADA].open_count == 1


def test_undo_of_reopen_restores_when_it_occurred(log: Publisher) -> None:
    log.plan(1, 60)
    log.applied("interaction.complete", {**ONE, "occurredAt": at(3)})
    undo(log, log.applied("interaction.reopen", ONE))
    assert (row(log).status, row(log).occurred_at) == ("done", START + timedelta(minutes=3))


def test_undo_can_be_undone_and_that_too(log: Publisher) -> None:
    log.plan(1, 60, title="Old")
    changed = log.applied("interaction.update", {**ONE, "title": "New"})
    titles, versions = [], []
    for _ in range(3):
        changed = undo(log, changed)
        titles.append(row(log).title)
        versions.append(row(log).version)
    assert (titles, versions) == (["Old", "New", "Old"], [3, 4, 5])


def test_undo_of_an_undone_create_brings_the_row_back(log: Publisher) -> None:
    first = undo(log, log.plan(1, 60))
    again = undo(log, first)
    assert (event(again), row(log).version) == (("created", "undo"), 3)
    assert event(undo(log, again)) == ("deleted", "undo")


def test_a_version_is_never_given_twice(log: Publisher) -> None:
    log.plan(1, 60)
    deletion = log.applied("interaction.delete", ONE)  # version 2
    back = undo(log, deletion)  # 3
    undo(log, back)  # deleted again, 4
    again = undo(log, deletion)
    assert result_of(again)["version"] == 5


@pytest.mark.parametrize("later", ["update", "complete", "delete"])
def test_undo_is_unsafe_once_something_else_changed(log: Publisher, later: str) -> None:
    log.plan(1, 60)
    changed = log.applied("interaction.update", {**ONE, "title": "New"})
    log.applied(f"interaction.{later}", {**ONE, "priority": 9} if later == "update" else ONE)
    left = log.work.interactions.get(interaction_id(1))
    refused = log.refused("undo_unsafe", "interaction.undo", {"undoToken": result_of(changed)["undoToken"]})
    assert ("deleted" if later == "delete" else "version 3") in result_of(refused)["problem"]["detail"]
    assert log.work.interactions.get(interaction_id(1)) is left


def test_undo_is_possible_again_once_the_later_change_was_taken_back_by_hand_only(log: Publisher) -> None:
    log.plan(1, 60)
    first = log.applied("interaction.update", {**ONE, "title": "New"})
    second = log.applied("interaction.update", {**ONE, "title": "Newer"})
    undo(log, second)
    # Same content, but a later version: another publisher may have acted on the state in between.
    log.refused("undo_unsafe", "interaction.undo", {"undoToken": result_of(first)["undoToken"]})


def test_undo_of_a_delete_is_unsafe_when_the_id_is_in_use_again(log: Publisher) -> None:
    log.plan(1, 60)
    deleted = log.applied("interaction.delete", ONE)
    log.plan(1, 70)
    log.refused("undo_unsafe", "interaction.undo", {"undoToken": result_of(deleted)["undoToken"]})


def test_undo_of_a_create_is_unsafe_when_another_row_has_its_id(log: Publisher) -> None:
    created = log.plan(1, 60)
    log.applied("interaction.delete", ONE)
    log.work.deleted_versions.clear()  # as if the log had been dropped: versions restart
    log.plan(1, 70)
    refused = log.refused("undo_unsafe", "interaction.undo", {"undoToken": result_of(created)["undoToken"]})
    assert "another one was created" in result_of(refused)["problem"]["detail"]


def test_undo_of_a_delete_is_unsafe_when_another_scope_took_the_id(log: Publisher) -> None:
    log.customer(BOB, FOREIGN)
    log.plan(1, 60)
    deleted = log.applied("interaction.delete", ONE)
    log.applied("interaction.create", {**ONE, "interactionType": "call"}, entity=BOB, organization=FOREIGN)
    log.refused("undo_unsafe", "interaction.undo", {"undoToken": result_of(deleted)["undoToken"]})


def test_what_was_announced_since_does_not_make_undo_unsafe_and_stays_announced(log: Publisher) -> None:
    log.plan(1, 60)
    changed = log.applied("interaction.update", {**ONE, "title": "New"})
    log.applied("interaction.mark_due", {**ONE, "scheduleVersion": 1, "phase": "overdue"})
    undo(log, changed)
    assert (row(log).due_phase, row(log).schedule_version) == (2, 1)
    assert log.work.entities[ADA].overdue_count == 1


@pytest.mark.parametrize("verb", ["complete", "delete"])
def test_an_undo_that_plans_again_arms_the_timers(log: Publisher, verb: str) -> None:
    log.plan(1, 60)
    log.applied("interaction.mark_due", {**ONE, "scheduleVersion": 1, "phase": "overdue"})
    undo(log, log.applied(f"interaction.{verb}", ONE))
    assert (row(log).due_phase, row(log).schedule_version) == (0, 3)
    assert log.work.entities[ADA].overdue_count == 0


def test_an_undo_that_reschedules_arms_the_timers(log: Publisher) -> None:
    log.plan(1, 60)
    changed = log.applied("interaction.update", {**ONE, "scheduledAt": at(70)})
    log.applied("interaction.mark_due", {**ONE, "scheduleVersion": 2, "phase": "due"})
    undo(log, changed)
    assert (row(log).due_phase, row(log).schedule_version) == (0, 3)


@pytest.mark.parametrize(("source", "as_of"), [(5, 10), (20, 20)])
def test_what_undo_changes_is_as_of_the_newer_of_both(log: Publisher, source: float, as_of: float) -> None:
    log.plan(1, 60, sourceTimestamp=at(0))
    log.minutes = 30
    changed = log.applied("interaction.update", {**ONE, "scheduledAt": at(70), "sourceTimestamp": at(10)})
    token = result_of(changed)["undoToken"]
    log.applied("interaction.undo", {"undoToken": token, "sourceTimestamp": at(source)})
    assert row(log).scheduled_as_of == START + timedelta(minutes=as_of)
    assert row(log).status_as_of == START


def test_undo_by_command_id(log: Publisher) -> None:
    log.plan(1, 60)
    log.applied("interaction.update", {**ONE, "title": "New"}, command_id="mine")
    log.applied("interaction.undo", {"commandId": "mine"})
    assert row(log).title is None


@pytest.mark.parametrize("target", [{"commandId": "nobody"}, {"undoToken": "nonsense"}, {"undoToken": "u.*"}])
def test_an_unknown_target_is_not_found(log: Publisher, target: dict[str, str]) -> None:
    refused = log.refused("undo_not_found", "interaction.undo", target)
    assert result_of(refused)["problem"]["status"] == 404


def test_the_command_of_another_customer_is_not_found(log: Publisher) -> None:
    log.customer(BOB)
    token = result_of(log.plan(1, 60))["undoToken"]
    log.refused("undo_not_found", "interaction.undo", {"undoToken": token}, entity=BOB)


def test_the_command_of_another_scope_is_not_found(log: Publisher) -> None:
    log.customer(BOB, FOREIGN)
    token = result_of(log.plan(1, 60))["undoToken"]
    data = {"undoToken": token}
    log.refused("undo_not_found", "interaction.undo", data, organization=FOREIGN)
    log.refused("undo_not_found", "interaction.undo", data, entity=BOB, organization=FOREIGN)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("entity.upsert", {"id": ADA, "kind": "company", "displayName": "Ada Ltd"}),
        ("deal.upsert", {"id": deal_id(1), "title": "Deal"}),
        ("interaction.mark_due", {**ONE, "scheduleVersion": 1, "phase": "due"}),
        ("interaction.update", {**ONE, "priority": None}),  # no_op
        ("interaction.reopen", ONE),  # rejected
    ],
)
def test_what_cannot_be_undone(log: Publisher, kind: str, data: dict[str, Any]) -> None:
    log.plan(1, 60)
    decision = log.send(kind, data, command_id="target")
    assert result_of(decision)["undoToken"] is None
    log.refused("undo_not_available", "interaction.undo", {"commandId": "target"})


def test_a_repair_cannot_be_undone(log: Publisher) -> None:
    log.plan(1, 60)
    log.work.entities[ADA] = log.work.entities[ADA].__class__(
        id=ADA,
        tenant_id=row(log).tenant_id,
        organization_id=row(log).organization_id,
        kind="person",
        display_name="Ada",
        created_at=START,
        updated_at=START,
    )
    log.applied("interaction.recompute_next", {}, command_id="repair")
    log.refused("undo_not_available", "interaction.undo", {"commandId": "repair"})


def test_undo_holds_the_expected_version_against_the_row(log: Publisher) -> None:
    created = log.plan(1, 60)
    data = {"undoToken": result_of(created)["undoToken"]}
    log.refused("version_conflict", "interaction.undo", {**data, "expectedVersion": 2})
    log.applied("interaction.undo", {**data, "expectedVersion": 1})


@pytest.mark.parametrize("command_id", ["c1", "ä ö/ü?=", "x" * 200])
def test_a_token_names_its_command(command_id: str) -> None:
    token = undo_token(command_id)
    assert command_id_of(token) == command_id
    assert "=" not in token


def test_only_the_one_spelling_of_a_token_is_taken() -> None:
    token = undo_token("c1")
    spoiled = (token + "=", token + "!", token.removeprefix("u."), "u.", "u.AB", "u.____", "u.AAAA")
    assert [command_id_of(text) for text in spoiled] == [None, None, None, "", None, None, None]
