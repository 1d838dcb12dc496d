"""Invariants of signals when the commands are no longer retained: the tables alone show each violation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.findings import Report
from audit.run import audit
from schemas.topics import COMMANDS, DRAFT_STATE, EVENTS, RESULTS, SIGNAL_STATE
from tests.unit.audit.machine import Machine, make_id
from tests.unit.audit.planting import (
    DRAFTS,
    OUTCOMES,
    SIGNALS,
    Plants,
    assert_found,
    draft_row,
    failed,
    last_of,
    row_of,
)
from tests.unit.audit.signal_story import CARA, DROPPED, KEPT, LOST, STRANGER, WAITING, draft_of
from tests.unit.audit.story import run_story

PLANTS = Plants()


def forget(m: Machine) -> None:
    """Delete all commands, results and events by retention but the last of each partition."""
    for topic in (COMMANDS, RESULTS, EVENTS):
        last = {record.partition: record for record in m.topics[topic]}
        m.topics[topic] = list(last.values())
        m.cut.begin[topic] = {partition: record.offset for partition, record in last.items()}


def unshow(m: Machine, topic: str, key: str) -> None:
    """Remove all states of a key."""
    m.topics[topic] = [record for record in m.topics[topic] if record.key != key.encode()]


@PLANTS.add("A11", "a resolved signal without its draft")
def _draft_row_lost(m: Machine) -> None:
    unshow(m, DRAFT_STATE, draft_of(m, KEPT))
    m.tables[DRAFTS].remove(draft_row(m, KEPT))


@PLANTS.add("A11", "a resolved signal names no draft")
def _resolved_without_a_draft(m: Machine) -> None:
    row_of(m, SIGNALS, KEPT)["draft_id"] = None
    m.change(SIGNAL_STATE, last_of(m, SIGNAL_STATE, KEPT), draftId=None)


@PLANTS.add("A12", "differs from its resolution in user_id")
def _draft_of_another_user(m: Machine) -> None:
    draft_row(m, KEPT)["user_id"] = "mallory"
    m.change(DRAFT_STATE, last_of(m, DRAFT_STATE, draft_of(m, KEPT)), userId="mallory")


@PLANTS.add("A12", "differs from its resolution in tenant_id", "A10")
def _draft_of_another_tenant(m: Machine) -> None:
    draft_row(m, KEPT)["tenant_id"] = STRANGER
    m.change(DRAFT_STATE, last_of(m, DRAFT_STATE, draft_of(m, KEPT)), tenantId=STRANGER)


@PLANTS.add("A13", "a signal without its interaction")
def _signal_left_by_a_deletion(m: Machine) -> None:
    row_of(m, SIGNALS, WAITING)["interaction_id"] = LOST
    m.change(SIGNAL_STATE, last_of(m, SIGNAL_STATE, WAITING), interactionId=LOST)


@PLANTS.add("A13", "a draft without its signal")
def _draft_left_by_a_deletion(m: Machine) -> None:
    row = {**draft_row(m, KEPT), "id": make_id("left"), "signal_id": DROPPED}
    state = m.topics[DRAFT_STATE][last_of(m, DRAFT_STATE, draft_of(m, KEPT))]
    m.tables[DRAFTS].append(row)
    m.topics[DRAFT_STATE].append(state._replace(key=row["id"].encode(), offset=10_000))
    m.change(DRAFT_STATE, len(m.topics[DRAFT_STATE]) - 1, id=row["id"], signalId=DROPPED)


@PLANTS.add("A13", "an outcome without its signal")
def _outcome_left_by_a_deletion(m: Machine) -> None:
    m.tables[OUTCOMES].append({**m.tables[OUTCOMES][0], "id": make_id("left"), "signal_id": DROPPED})


@PLANTS.add("A15", "a signal is being resolved since")
def _left_resolving(m: Machine) -> None:
    m.cut.now = int((m.now + timedelta(minutes=16)).timestamp() * 1_000_000)


def test_without_the_commands_the_story_is_clean() -> None:
    machine = run_story()
    forget(machine)
    report = audit(machine.history())
    assert failed(report) == set(), [check.violations for check in report.checks.values()]
    assert all(report.checks[name].checked for name in ("A11", "A12", "A13", "A15"))


@pytest.mark.parametrize("name", sorted(PLANTS))
def test_no_other_check_finds_it(name: str) -> None:
    machine = run_story()
    PLANTS[name].tamper(machine)
    forget(machine)
    assert_found(audit(machine.history()), PLANTS[name])


def _late(m: Machine, seconds: float) -> Report:
    m.cut.now = int((m.now + timedelta(seconds=120)).timestamp() * 1_000_000)
    m.cut.resolution_seconds = seconds
    return audit(m.history())


def test_the_deadline_can_be_set() -> None:
    assert failed(_late(run_story(), 60)) == {"A15"}
    assert failed(_late(run_story(), 600)) == set()


def test_an_answer_that_is_not_applied_yet_is_lag() -> None:
    machine = run_story()
    row = row_of(machine, SIGNALS, WAITING)
    machine.now += timedelta(minutes=20)
    late = {"id": WAITING, "resolution": row["resolution"], "code": "deadline_exceeded"}
    machine.send("signal.fail_draft", late, entity=CARA)
    machine.cut.committed = dict(machine.watermark)
    report = audit(machine.history())
    assert failed(report) == set()
    assert report.checks["A15"].lag == 1
