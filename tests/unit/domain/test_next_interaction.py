"""Derivation order with ties and NULLs; name, icon and colour of the projection; repair."""

from __future__ import annotations

import random

import pytest
from msgspec.structs import replace

from domain.model import Entity, NextInteraction
from domain.next_interaction import InteractionIndex, next_key
from domain.results import result_of
from schemas.identity import derive_id
from tests.unit.domain.commands import (
    ADA,
    ORGANIZATION,
    START,
    TENANT,
    Publisher,
    at,
    events_of,
    interaction_id,
)

#: (number, scheduled, priority, created), in the expected order.
ORDERED = [
    (9, 10, None, 5),
    (8, 20, 100, 9),
    (7, 20, 1, 8),
    (6, 20, 0, 7),
    (5, 20, None, 6),
    (1, 20, None, 7),
    (2, 20, None, 7),
    (3, 30, 100, 1),
]


def entity(log: Publisher) -> Entity:
    return log.work.entities[ADA]


@pytest.mark.parametrize("seed", range(6))
def test_scheduled_then_priority_nulls_last_then_created_then_id(log: Publisher, seed: int) -> None:
    order = list(ORDERED)
    random.Random(seed).shuffle(order)
    for number, scheduled, priority, created in order:
        log.minutes = created
        log.plan(number, scheduled, priority=priority)
    log.minutes = 40
    seen = []
    while log.next_number is not None:
        seen.append(log.next_number)
        log.applied("interaction.delete", {"id": interaction_id(log.next_number)})
    assert seen == [number for number, *_ in ORDERED]


def test_only_planned_and_scheduled_ones_are_candidates(log: Publisher) -> None:
    log.plan(1)
    log.plan(2, 5, status="done")
    log.plan(3, 5, status="canceled")
    assert entity(log).next is None
    log.plan(4, 500)
    assert log.next_number == 4


def test_each_command_moves_the_projection_with_its_reason(log: Publisher) -> None:
    log.plan(1, 60)
    steps = [
        ("interaction.create", {"id": interaction_id(2), "interactionType": "call", "scheduledAt": at(50)}),
        ("interaction.update", {"id": interaction_id(2), "scheduledAt": at(70)}),
        ("interaction.complete", {"id": interaction_id(1)}),
        ("interaction.reopen", {"id": interaction_id(1)}),
        ("interaction.cancel", {"id": interaction_id(1)}),
        ("interaction.delete", {"id": interaction_id(2)}),
        ("interaction.undo", {"commandId": "interaction.delete"}),
    ]
    seen = []
    for kind, data in steps:
        decision = log.applied(kind, data, command_id=kind)
        moved = events_of(decision)[1]
        assert moved.type == "customers.next_interaction.updated"
        assert moved.sequence == 10 * moved.payload["entityVersion"] + 1
        seen.append((moved.payload["reason"], log.next_number))
        assert moved.payload["next"] == result_of(decision)["nextInteraction"]
        assert (
            moved.payload["entityVersion"]
            == result_of(decision)["entityVersion"]
            == entity(log).entity_version
        )
    assert seen == [
        ("created", 2),
        ("updated", 1),
        ("completed", 2),
        ("reopened", 1),
        ("canceled", 2),
        ("deleted", None),
        ("undo", 2),
    ]


def test_a_change_that_does_not_move_it_is_not_announced(log: Publisher) -> None:
    log.plan(1, 60)
    assert len(events_of(log.plan(2, 70))) == 1
    assert len(events_of(log.applied("interaction.update", {"id": interaction_id(1), "body": "x"}))) == 1
    # The title is not shown while the type has a label; an icon or colour of its own is.
    assert len(events_of(log.applied("interaction.update", {"id": interaction_id(1), "title": "x"}))) == 1
    assert (
        len(events_of(log.applied("interaction.update", {"id": interaction_id(1), "appearanceIcon": "star"})))
        == 2
    )


def test_name_and_look_come_from_the_type_and_an_own_look_goes_before(log: Publisher) -> None:
    log.plan(1, 60, title="Not shown")
    assert entity(log).next == NextInteraction(
        interaction_id=interaction_id(1),
        at=START.replace(hour=9),
        name="Call",
        icon="phone",
        color="#2563EB",
    )
    log.applied("interaction.update", {"id": interaction_id(1), "appearanceColor": "#000000"})
    shown = entity(log).next
    assert shown is not None
    assert (shown.icon, shown.color) == ("phone", "#000000")


def test_without_an_entry_the_title_names_it_else_the_code(log: Publisher) -> None:
    log.plan(1, 60, title="Shown", interactionType="demo")
    log.work.types.clear()
    log.applied("interaction.recompute_next")
    shown = entity(log).next
    assert shown is not None
    assert (shown.name, shown.icon, shown.color) == ("Shown", None, None)
    log.applied("interaction.update", {"id": interaction_id(1), "title": None})
    shown = entity(log).next
    assert shown is not None
    assert shown.name == "demo"


def test_the_last_interaction_is_the_done_one_that_occurred_last(log: Publisher) -> None:
    # (number, occurred, created): ties go to the later creation, then to the greater id.
    for number, occurred, created in ((1, 10, 59), (5, 30, 50), (2, 30, 55), (3, 30, 55), (4, 20, 58)):
        log.minutes = created
        log.plan(number, occurredAt=at(occurred))
    log.minutes = 60
    seen = []
    while (last := entity(log).last) is not None:
        assert last.name == "Call"
        seen.append(int(last.interaction_id[-12:]))
        log.applied("interaction.delete", {"id": last.interaction_id})
    assert seen == [3, 2, 5, 4, 1]


def test_counts(log: Publisher) -> None:
    for number in range(1, 5):
        log.plan(number, 60)
    log.applied("interaction.complete", {"id": interaction_id(1)})
    log.applied("interaction.cancel", {"id": interaction_id(2)})
    for number in (3, 4):
        data = {"id": interaction_id(number), "scheduleVersion": 1, "phase": "overdue"}
        log.applied("interaction.mark_due", data)
    assert (entity(log).open_count, entity(log).overdue_count, entity(log).done_count) == (2, 2, 1)
    log.applied("interaction.update", {"id": interaction_id(3), "scheduledAt": at(90)})
    log.applied("interaction.delete", {"id": interaction_id(4)})
    assert (entity(log).open_count, entity(log).overdue_count, entity(log).done_count) == (1, 0, 1)


def spoil(log: Publisher, **stored: object) -> None:
    log.work.entities[ADA] = replace(entity(log), **stored)


def test_any_applied_command_puts_a_wrong_projection_right(log: Publisher) -> None:
    log.plan(1, 60)
    right = entity(log).next
    spoil(log, next=None, last=None)
    decision = log.plan(2, 70)
    assert entity(log).next == right
    assert events_of(decision)[1].payload["previous"] is None


def test_recompute_repairs_next_last_and_counts(log: Publisher) -> None:
    log.plan(1, 60)
    log.plan(2, occurredAt=at(0))
    right = entity(log)
    spoil(log, next=None, last=None, open_count=7, overdue_count=7, done_count=7)
    log.work.recounts[ADA] = (1, 0, 1)
    decision = log.applied("interaction.recompute_next")
    assert replace(entity(log), entity_version=0, updated_at=START) == replace(
        right, entity_version=0, updated_at=START
    )
    assert [(event.type, event.payload["reason"]) for event in events_of(decision)] == [
        ("customers.next_interaction.updated", "recompute")
    ]
    assert entity(log).entity_version == right.entity_version + 1


def test_recompute_of_counts_alone_has_no_event(log: Publisher) -> None:
    log.plan(1, 60)
    log.work.recounts[ADA] = (5, 0, 0)
    decision = log.applied("interaction.recompute_next")
    assert (events_of(decision), entity(log).open_count) == ((), 5)


def test_recompute_counts_what_the_batch_changed_before_it(log: Publisher) -> None:
    log.plan(1, 60)
    spoil(log, open_count=9)
    log.work.recounts[ADA] = (1, 0, 0)  # counted before the batch
    log.plan(2, 70)
    log.applied("interaction.complete", {"id": interaction_id(1)})
    log.applied("interaction.recompute_next")
    assert (entity(log).open_count, entity(log).done_count) == (1, 1)
    assert log.send("interaction.recompute_next").outcome == "no_op"


def test_recompute_of_a_right_projection_is_no_change(log: Publisher) -> None:
    log.plan(1, 60)
    log.work.recounts[ADA] = (1, 0, 0)
    decision = log.send("interaction.recompute_next")
    assert (decision.outcome, events_of(decision), decision.writes) == ("no_op", (), ())


def test_a_recompute_that_follows_a_relabeling_says_so(log: Publisher) -> None:
    log.plan(1, 60)
    spoil(log, next=None)
    command_id = derive_id("relabel", TENANT, ORGANIZATION, "cause", ADA)
    decision = log.applied("interaction.recompute_next", command_id=command_id, causationid="cause")
    assert events_of(decision)[0].payload["reason"] == "relabeled"


def test_a_plan_answers_for_a_change_without_making_it(log: Publisher) -> None:
    log.plan(1, 60)
    log.plan(2, 70)
    first = log.work.interactions[interaction_id(1)]
    index = InteractionIndex()
    for row in log.work.interactions.values():
        index.add(row)
    assert index.next_after((), ()) == interaction_id(1)
    assert index.next_after([interaction_id(1)], ()) == interaction_id(2)
    assert index.next_after([interaction_id(1)], [replace(first, status="done")]) == interaction_id(2)
    assert index.next_after([interaction_id(2)], ()) == interaction_id(1)
    assert index.planned == sorted(key for row in log.work.interactions.values() if (key := next_key(row)))
    assert InteractionIndex().next_after((), ()) is None
