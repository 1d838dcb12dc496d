"""The auditor derives the next step of a completion by rules of its own, and misses nothing of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from audit.run import audit
from schemas.next_step import next_step_id
from schemas.topics import EVENTS, RESULTS
from tests.unit.audit.machine import ORGANIZATION, TENANT, Machine, make_id
from tests.unit.audit.test_clean_histories import violations

ANNA, CALL, DEAL = make_id("anna"), make_id("call"), make_id("deal")
STEP = next_step_id(TENANT, ORGANIZATION, CALL, 2)
NEXT = {
    "interactionType": "Site check",
    "title": "Look at the roof",
    "body": "b" * 300,
    "scheduledAt": "2026-03-05T08:00:00Z",
    "priority": 3,
    "dealId": DEAL,
}


def history() -> Machine:
    """Complete with a next step, undo, undo the undo, and change the step."""
    m = Machine()
    m.send("entity.upsert", {"id": ANNA, "kind": "person", "displayName": "Anna"}, entity=ANNA)
    m.send("deal.upsert", {"id": DEAL, "title": "Roof"}, entity=ANNA)
    m.send(
        "interaction.create",
        {"id": CALL, "interactionType": "call", "scheduledAt": "2026-03-02T08:00:00Z"},
        entity=ANNA,
    )
    done = {"id": CALL, "feedback": "f" * 300, "next": NEXT}
    m.send("interaction.complete", {**done, "validateOnly": True}, entity=ANNA, command_id="asked")
    m.send("interaction.complete", done, entity=ANNA, command_id="done")
    m.send("interaction.complete", done, entity=ANNA, command_id="done")
    m.send("interaction.complete", done, entity=ANNA, command_id="late")
    m.send("interaction.undo", {"commandId": "done"}, entity=ANNA, command_id="undo")
    m.send("interaction.undo", {"commandId": "undo"}, entity=ANNA, command_id="redo")
    m.send("interaction.update", {"id": STEP, "title": "Changed"}, entity=ANNA)
    m.send("interaction.undo", {"commandId": "redo"}, entity=ANNA, command_id="unsafe")
    m.send("interaction.complete", {"id": STEP, "next": {"interactionType": "call"}}, entity=ANNA)
    m.send("interaction.complete", {"id": CALL, "next": {}}, entity=ANNA)
    return m.settle()


def test_a_history_with_next_steps_is_clean() -> None:
    m = history()
    assert violations(audit(m.history())) == []
    outcomes = {row["command_id"]: row["outcome"] for row in m.journal}
    assert [outcomes[name] for name in ("done", "late", "undo", "redo", "unsafe")] == [
        *("applied", "rejected", "applied", "applied", "rejected")
    ]


def _event_lost(m: Machine) -> None:
    del m.topics[EVENTS][m.find(EVENTS, ce_causationid="done", ce_type="customers.interaction.created")]


def _event_lost_with_its_facts(m: Machine) -> None:
    _event_lost(m)
    row = next(row for row in m.journal if row["command_id"] == "done")
    row["step_event"] = None
    row["events"] -= 1


def _other_id_in_the_result(m: Machine) -> None:
    m.change(RESULTS, m.find(RESULTS, ce_causationid="done"), plannedInteractionId=CALL)


def _row_lost(m: Machine) -> None:
    rows = m.tables["customer_interactions"]
    rows[:] = [row for row in rows if row["id"] != STEP]


def _row_of_other_title(m: Machine) -> None:
    next(row for row in m.tables["customer_interactions"] if row["id"] == STEP)["title"] = "Other"


def _events_swapped(m: Machine) -> None:
    events = m.topics[EVENTS]
    a = m.find(EVENTS, ce_causationid="done", ce_type="customers.interaction.completed")
    b = m.find(EVENTS, ce_causationid="done", ce_type="customers.interaction.created")
    events[a], events[b] = events[b], events[a]


@pytest.mark.parametrize(
    ("tamper", "check"),
    [
        (_event_lost, "A9"),
        (_event_lost_with_its_facts, "A4"),
        (_other_id_in_the_result, "A2"),
        (_row_lost, "A2"),
        (_row_of_other_title, "A2"),
        (_events_swapped, "A4"),
    ],
)
def test_a_planted_violation_is_found(tamper: Callable[[Machine], None], check: str) -> None:
    m = history()
    tamper(m)
    report = audit(m.history())
    assert report.checks[check].failed, violations(report)
