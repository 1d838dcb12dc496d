"""Next step: planned by a completion in the same decision, and taken back by its undo."""

from __future__ import annotations

from typing import Any

import pytest

from domain.decision import Decision
from domain.results import result_of
from schemas.next_step import next_step_id
from tests.unit.domain.commands import (
    ADA,
    ORGANIZATION,
    TENANT,
    Publisher,
    at,
    deal_id,
    events_of,
    interaction_id,
)
from tests.unit.domain.store import Store

ONE = interaction_id(1)
CALL = {"interactionType": "call", "title": "Call back", "scheduledAt": at(90)}


def step_id(version: int = 2) -> str:
    return next_step_id(TENANT, ORGANIZATION, ONE, version)


def complete(log: Publisher, **following: Any) -> Decision:
    log.plan(1, 60)
    return log.applied("interaction.complete", {"id": ONE, "next": {**CALL, **following}}, command_id="done")


def undo(log: Publisher, command_id: str = "done", **options: Any) -> Decision:
    return log.applied("interaction.undo", {"commandId": command_id}, **options)


def types_of(decision: Decision) -> list[tuple[str, str]]:
    return [(event.type.removeprefix("customers."), event.payload["id"]) for event in events_of(decision)]


def test_one_command_completes_and_plans(log: Publisher) -> None:
    decision = complete(log, priority=7)
    first, second = log.work.interactions[ONE], log.work.interactions[step_id()]
    assert (first.status, second.status, second.priority, second.version) == ("done", "planned", 7, 1)
    entity = log.work.entities[ADA]
    assert (entity.open_count, entity.done_count) == (1, 1)
    assert entity.next is not None
    assert entity.next.interaction_id == step_id()
    assert types_of(decision) == [
        ("interaction.completed", ONE),
        ("interaction.created", step_id()),
        ("next_interaction.updated", ADA),
    ]
    events = events_of(decision)
    assert [(event.sequence or 0) % 10 for event in events] == [0, 1, 2]
    assert len({event.id for event in events}) == 3
    assert {event.payload["commandId"] for event in events} == {"done"}
    assert events[1].payload["reason"] == "completed"
    assert events[1].payload["before"] is None
    result = result_of(decision)
    assert (result["plannedInteractionId"], result["version"]) == (step_id(), 2)


def test_feedback_is_stored_with_the_interaction_and_undo_removes_it(log: Publisher) -> None:
    log.plan(1, 60, body="Ask about the roof")
    done = log.applied("interaction.complete", {"id": ONE, "feedback": "Wants an offer"}, command_id="done")
    row = log.work.interactions[ONE]
    assert (row.body, row.feedback) == ("Ask about the roof", "Wants an offer")
    assert "feedback" in events_of(done)[0].payload["changedFields"]
    assert result_of(done)["plannedInteractionId"] is None
    undo(log)
    assert log.work.interactions[ONE].feedback is None


def test_a_step_without_a_schedule_is_not_the_next_interaction(log: Publisher) -> None:
    decision = complete(log, scheduledAt=None)
    assert log.work.entities[ADA].next is None
    assert log.work.entities[ADA].open_count == 1
    assert ("interaction.created", step_id()) in types_of(decision)


def test_a_repeated_command_names_the_same_step(log: Publisher) -> None:
    complete(log)
    again = log.send("interaction.complete", {"id": ONE, "next": CALL}, command_id="done")
    assert again.outcome == "duplicate"
    result = result_of(again)
    assert (result["plannedInteractionId"], result["first"]["plannedInteractionId"]) == (step_id(), step_id())
    assert len(log.work.interactions) == 2


def test_a_second_completion_plans_nothing(log: Publisher) -> None:
    complete(log)
    log.refused("already_done", "interaction.complete", {"id": ONE, "next": CALL})
    assert len(log.work.interactions) == 2


def test_a_stale_completion_plans_nothing(log: Publisher) -> None:
    log.plan(1, 60)
    decision = log.send("interaction.complete", {"id": ONE, "next": CALL, "sourceTimestamp": at(-9)})
    assert decision.outcome == "no_op"
    assert list(log.work.interactions) == [ONE]


def test_each_completion_has_a_step_of_its_own(log: Publisher) -> None:
    complete(log)
    log.applied("interaction.reopen", {"id": ONE})
    decision = log.applied("interaction.complete", {"id": ONE, "next": CALL})
    assert result_of(decision)["plannedInteractionId"] == step_id(4)
    assert step_id() in log.work.interactions


def test_a_dry_run_names_the_step_and_plans_nothing(log: Publisher) -> None:
    log.plan(1, 60)
    decision = log.send("interaction.complete", {"id": ONE, "next": CALL, "validateOnly": True})
    assert (decision.outcome, decision.writes) == ("applied", ())
    assert result_of(decision)["plannedInteractionId"] == step_id()
    assert list(log.work.interactions) == [ONE]


def test_undo_takes_both_back_and_its_undo_restores_both(log: Publisher) -> None:
    complete(log)
    before = log.work.interactions[step_id()]
    undone = undo(log, command_id="done")
    assert types_of(undone) == [
        ("interaction.reverted", ONE),
        ("interaction.deleted", step_id()),
        ("next_interaction.updated", ADA),
    ]
    assert list(log.work.interactions) == [ONE]
    assert log.work.interactions[ONE].status == "planned"
    assert log.next_number == 1
    assert (log.work.entities[ADA].open_count, log.work.entities[ADA].done_count) == (1, 0)
    assert result_of(undone)["plannedInteractionId"] is None
    redone = undo(log, undone.entry.command_id)
    row = log.work.interactions[step_id()]
    assert (row.title, row.version, row.status) == (before.title, 3, "planned")
    assert types_of(redone)[:2] == [("interaction.reverted", ONE), ("interaction.created", step_id())]
    assert result_of(redone)["plannedInteractionId"] == step_id()
    assert log.work.interactions[ONE].status == "done"


def test_versions_of_a_step_that_was_taken_back_continue(log: Publisher) -> None:
    complete(log)
    undo(log)
    created = log.applied("interaction.create", {"id": step_id(), "interactionType": "call"})
    assert created.facts.version == 3


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("interaction.update", {"title": "Changed"}),
        ("interaction.complete", {}),
        ("interaction.delete", {}),
    ],
)
def test_undo_is_refused_once_the_step_changed(log: Publisher, kind: str, data: dict[str, Any]) -> None:
    complete(log)
    log.applied(kind, {"id": step_id(), **data})
    refused = log.refused("undo_unsafe", "interaction.undo", {"commandId": "done"})
    assert "the next step has since" in result_of(refused)["problem"]["detail"]
    assert log.work.interactions[ONE].status == "done"


def test_undo_is_refused_once_the_step_has_a_signal(log: Publisher) -> None:
    complete(log)
    log.applied("signal.record", {"interactionId": step_id(), "kind": "offer", "title": "Wants an offer"})
    log.refused("undo_unsafe", "interaction.undo", {"commandId": "done"})


def test_an_occupied_id_refuses_the_completion(log: Publisher) -> None:
    log.plan(1, 60)
    log.applied("interaction.create", {"id": step_id(), "interactionType": "call"})
    refused = log.refused("id_not_available", "interaction.complete", {"id": ONE, "next": CALL})
    assert result_of(refused)["problem"]["errors"][0]["pointer"] == "/next"
    assert log.work.interactions[ONE].status == "planned"


def test_a_refused_step_refuses_the_completion(log: Publisher) -> None:
    log.plan(1, 60)
    data = {"id": ONE, "next": {**CALL, "dealId": deal_id(1)}}
    refused = log.refused("deal_not_found", "interaction.complete", data)
    assert result_of(refused)["problem"]["errors"][0]["pointer"] == "/next/dealId"
    assert log.work.interactions[ONE].status == "planned"


@pytest.mark.parametrize(
    ("following", "pointer"),
    [({}, "/next/interactionType"), ({**CALL, "status": "done"}, "/next/status"), ("soon", "/next")],
)
def test_invalid_steps_are_named(log: Publisher, following: Any, pointer: str) -> None:
    log.plan(1, 60)
    refused = log.refused("validation_failed", "interaction.complete", {"id": ONE, "next": following})
    assert result_of(refused)["problem"]["errors"][0]["pointer"] == pointer


def test_a_step_may_add_its_type(log: Publisher) -> None:
    decision = complete(log, interactionType="site_check")
    assert ("interaction_type.created", "site_check") in types_of(decision)


def test_the_read_set_suffices_for_a_step_and_its_undo() -> None:
    log, store = Publisher(), Store()

    def one(kind: str, data: dict[str, Any], **options: Any) -> Decision:
        (decision,) = store.execute([log.make(kind, data, **options)])
        assert decision.outcome == "applied", result_of(decision)["problem"]
        return decision

    def shown() -> str | None:
        following = store.entities[ADA].next
        return following.interaction_id if following is not None else None

    one("entity.upsert", {"id": ADA, "kind": "person", "displayName": "Ada"})
    for number in (1, 2, 3):
        create = {"id": interaction_id(number), "interactionType": "call", "scheduledAt": at(60 + number)}
        one("interaction.create", create)
    one("interaction.complete", {"id": ONE, "next": {**CALL, "scheduledAt": at(1)}}, command_id="done")
    assert shown() == step_id()
    one("interaction.undo", {"commandId": "done"}, command_id="undo")
    assert shown() == ONE
    one("interaction.undo", {"commandId": "undo"})
    assert shown() == step_id()
    assert store.counts(ADA) == (3, 0, 1)
