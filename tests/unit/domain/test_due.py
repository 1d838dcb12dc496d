"""A schedule is announced once per phase; rescheduling or reopening resets the timers."""

from __future__ import annotations

from typing import Any, cast

import pytest
from msgspec.structs import replace

from domain.decision import Decision
from domain.model import Interaction
from domain.results import result_of
from domain.undo_image import undo_image
from schemas.command import Command
from tests.unit.domain.commands import ADA, Publisher, at, events_of, interaction_id

ONE = {"id": interaction_id(1)}


@pytest.fixture
def planned(log: Publisher) -> Publisher:
    log.plan(1, 60)
    return log


def mark(log: Publisher, phase: str, version: int = 1) -> Decision:
    return log.send("interaction.mark_due", {**ONE, "scheduleVersion": version, "phase": phase})


def row(log: Publisher) -> Interaction:
    return log.work.interactions[interaction_id(1)]


def test_due_then_overdue_each_once(planned: Publisher) -> None:
    outcomes = [mark(planned, phase).outcome for phase in ("due", "due", "overdue", "overdue", "due")]
    assert outcomes == ["applied", "no_op", "applied", "no_op", "no_op"]


@pytest.mark.parametrize(("phase", "number", "overdue"), [("due", 1, 0), ("overdue", 2, 1)])
def test_an_announcement(planned: Publisher, phase: str, number: int, overdue: int) -> None:
    before = row(planned)
    decision = mark(planned, phase)
    (event,) = events_of(decision)
    assert (event.type, event.payload["reason"]) == (f"customers.interaction.{phase}", phase)
    assert event.payload["before"] == event.payload["after"]
    assert event.payload["changedFields"] == []
    assert (row(planned).due_phase, row(planned).version) == (number, before.version)
    assert row(planned).updated_at == before.updated_at
    assert planned.work.entities[ADA].overdue_count == overdue
    assert undo_image(decision.entry) is None


def test_overdue_may_come_first(planned: Publisher) -> None:
    assert mark(planned, "overdue").outcome == "applied"


@pytest.mark.parametrize("verb", ["complete", "cancel", "delete"])
def test_what_is_not_planned_is_not_announced(planned: Publisher, verb: str) -> None:
    planned.applied(f"interaction.{verb}", ONE)
    decision = mark(planned, "due")
    assert (decision.outcome, events_of(decision)) == ("no_op", ())
    assert result_of(decision)["warnings"][0]["code"] == "not_armed"


def test_a_timer_of_an_older_schedule_does_nothing(planned: Publisher) -> None:
    planned.applied("interaction.update", {**ONE, "scheduledAt": at(70)})
    assert mark(planned, "due", version=1).outcome == "no_op"
    assert mark(planned, "due", version=2).outcome == "applied"


@pytest.mark.parametrize(
    "turns",
    [
        [("update", {"scheduledAt": at(70)})],
        [("complete", {}), ("reopen", {})],
        [("cancel", {}), ("reopen", {})],
    ],
)
def test_armed_anew(planned: Publisher, turns: list[tuple[str, dict[str, Any]]]) -> None:
    mark(planned, "overdue")
    for verb, data in turns:
        planned.applied(f"interaction.{verb}", {**ONE, **data})
    assert (row(planned).due_phase, row(planned).schedule_version) == (0, row(planned).version)
    assert planned.work.entities[ADA].overdue_count == 0
    assert mark(planned, "due", row(planned).version).outcome == "applied"


def test_other_changes_do_not_arm_anew(planned: Publisher) -> None:
    mark(planned, "due")
    planned.applied("interaction.update", {**ONE, "title": "x", "scheduledAt": at(60)})
    assert (row(planned).due_phase, row(planned).schedule_version, row(planned).version) == (1, 1, 2)


@pytest.mark.parametrize("verb", ["complete", "cancel", "delete"])
def test_an_overdue_interaction_that_is_planned_no_more_is_overdue_no_more(
    planned: Publisher, verb: str
) -> None:
    mark(planned, "overdue")
    assert planned.work.entities[ADA].overdue_count == 1
    planned.applied(f"interaction.{verb}", ONE)
    assert planned.work.entities[ADA].overdue_count == 0


@pytest.mark.parametrize("scheduled", [at(60 * 24 * 3650), None])
def test_a_moment_that_has_not_come_is_not_announced(log: Publisher, scheduled: str | None) -> None:
    """Only the timers need the command, but any publisher can send it."""
    log.applied("interaction.create", {**ONE, "interactionType": "call", "scheduledAt": scheduled})
    command = log.make(
        "interaction.mark_due", {"id": interaction_id(2), "scheduleVersion": 1, "phase": "due"}
    )
    assert isinstance(command, Command)
    early = replace(command, payload=replace(cast("Any", command.payload), id=interaction_id(1)))
    decision = log.execute(early)
    assert (decision.outcome, events_of(decision)) == ("no_op", ())
    assert result_of(decision)["warnings"][0]["code"] == "not_armed"
    assert row(log).due_phase == 0
