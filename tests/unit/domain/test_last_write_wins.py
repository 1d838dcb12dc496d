"""Last-write-wins by source timestamp, independently for status, scheduledAt and occurredAt."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.decision import Decision
from domain.results import result_of
from tests.unit.domain.commands import START, Publisher, at, events_of, interaction_id

ONE = {"id": interaction_id(1)}


@pytest.fixture
def planned(log: Publisher) -> Publisher:
    """Interaction 1, planned for minute 60 as of minute 10; the time is minute 30."""
    log.plan(1, 60, sourceTimestamp=at(0))
    log.minutes = 20
    log.applied("interaction.update", {**ONE, "scheduledAt": at(70), "sourceTimestamp": at(10)})
    log.minutes = 30
    return log


def superseded(decision: Decision) -> list[str]:
    warnings = result_of(decision)["warnings"]
    assert {warning["code"] for warning in warnings} <= {"superseded"}
    return [warning["field"] for warning in warnings]


def scheduled(log: Publisher) -> float:
    value = log.work.interactions[interaction_id(1)].scheduled_at
    assert value is not None
    return (value - START).total_seconds() / 60


def test_an_older_change_is_dropped_with_a_warning_and_no_event(planned: Publisher) -> None:
    before = planned.work.interactions[interaction_id(1)]
    decision = planned.send("interaction.update", {**ONE, "scheduledAt": at(99), "sourceTimestamp": at(9.9)})
    assert (decision.outcome, events_of(decision), superseded(decision)) == ("no_op", (), ["scheduledAt"])
    assert planned.work.interactions[interaction_id(1)] is before


@pytest.mark.parametrize("source", [10, 10.1])
def test_an_equally_old_or_newer_change_is_taken(planned: Publisher, source: float) -> None:
    decision = planned.applied(
        "interaction.update", {**ONE, "scheduledAt": at(99), "sourceTimestamp": at(source)}
    )
    assert (scheduled(planned), superseded(decision)) == (99, [])
    assert planned.work.interactions[interaction_id(1)].scheduled_as_of == START + timedelta(minutes=source)


def test_what_is_not_guarded_is_taken_though_its_neighbour_is_dropped(planned: Publisher) -> None:
    decision = planned.applied(
        "interaction.update",
        {**ONE, "scheduledAt": at(99), "occurredAt": at(5), "title": "New", "sourceTimestamp": at(5)},
    )
    row = planned.work.interactions[interaction_id(1)]
    assert (row.title, scheduled(planned), row.occurred_at) == ("New", 70, START + timedelta(minutes=5))
    assert superseded(decision) == ["scheduledAt"]
    assert row.occurred_as_of == START + timedelta(minutes=5)


def test_telling_a_value_again_does_not_make_it_newer(planned: Publisher) -> None:
    decision = planned.send("interaction.update", {**ONE, "scheduledAt": at(70), "sourceTimestamp": at(25)})
    assert decision.outcome == "no_op"
    planned.applied("interaction.update", {**ONE, "scheduledAt": at(80), "sourceTimestamp": at(20)})
    assert scheduled(planned) == 80


def test_without_a_source_timestamp_a_change_is_made_now(planned: Publisher) -> None:
    planned.applied("interaction.update", {**ONE, "scheduledAt": at(99)})
    assert planned.work.interactions[interaction_id(1)].scheduled_as_of == START + timedelta(minutes=30)


@pytest.mark.parametrize(("turn", "late"), [("complete", "cancel"), ("cancel", "complete")])
def test_a_stale_change_of_status_is_no_error(planned: Publisher, turn: str, late: str) -> None:
    planned.applied(f"interaction.{turn}", {**ONE, "sourceTimestamp": at(25)})
    decision = planned.send(f"interaction.{late}", {**ONE, "sourceTimestamp": at(24)})
    assert (decision.outcome, superseded(decision)) == ("no_op", ["status"])
    planned.refused(
        f"{late}_{'done' if turn == 'complete' else 'canceled'}",
        f"interaction.{late}",
        {**ONE, "sourceTimestamp": at(25)},
    )


def test_a_stale_reopen_is_no_error(planned: Publisher) -> None:
    planned.applied("interaction.complete", {**ONE, "sourceTimestamp": at(25)})
    decision = planned.send("interaction.reopen", {**ONE, "sourceTimestamp": at(24)})
    assert (decision.outcome, superseded(decision)) == ("no_op", ["status"])


def test_a_stale_complete_drops_its_occurred_at_too(planned: Publisher) -> None:
    planned.applied("interaction.cancel", {**ONE, "sourceTimestamp": at(25)})
    planned.send("interaction.complete", {**ONE, "occurredAt": at(7), "sourceTimestamp": at(24)})
    row = planned.work.interactions[interaction_id(1)]
    assert (row.status, row.occurred_at) == ("canceled", None)


def test_a_stale_status_of_an_update_falls_with_its_moment_and_the_rest_is_taken(planned: Publisher) -> None:
    planned.applied("interaction.cancel", {**ONE, "sourceTimestamp": at(25)})
    data = {**ONE, "title": "New", "status": "done", "occurredAt": at(7), "sourceTimestamp": at(24)}
    decision = planned.applied("interaction.update", data)
    row = planned.work.interactions[interaction_id(1)]
    assert (row.status, row.occurred_at, row.title) == ("canceled", None, "New")
    assert superseded(decision) == ["status", "occurredAt"]


def test_complete_keeps_a_newer_occurred_at(planned: Publisher) -> None:
    planned.applied("interaction.update", {**ONE, "occurredAt": at(1), "sourceTimestamp": at(29)})
    decision = planned.applied(
        "interaction.complete", {**ONE, "occurredAt": at(2), "sourceTimestamp": at(28)}
    )
    row = planned.work.interactions[interaction_id(1)]
    assert (row.status, row.occurred_at) == ("done", START + timedelta(minutes=1))
    assert superseded(decision) == ["occurredAt"]


def test_warnings_come_in_a_fixed_order(planned: Publisher) -> None:
    planned.applied("interaction.update", {**ONE, "occurredAt": at(1), "sourceTimestamp": at(29)})
    data = {**ONE, "occurredAt": at(2), "scheduledAt": at(3), "sourceTimestamp": at(2)}
    assert superseded(planned.send("interaction.update", data)) == ["scheduledAt", "occurredAt"]


def test_the_order_of_arrival_does_not_matter() -> None:
    results = set()
    for order in ((1, 2, 3), (3, 2, 1), (2, 3, 1)):
        log = Publisher()
        log.customer()
        log.plan(1, 60, sourceTimestamp=at(0))
        log.minutes = 30
        for number in order:
            data = {**ONE, "scheduledAt": at(100 + number), "sourceTimestamp": at(10 + number)}
            log.send("interaction.update", data)
        results.add(scheduled(log))
    assert results == {103}
