"""The auditor's rules and the pipeline's agree on every history that was not tampered with."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.command_fields import FLAGS
from audit.findings import Report
from audit.run import audit
from schemas.topics import COMMANDS, EVENTS
from tests.harness.examples import scaled
from tests.unit.audit.machine import ORGANIZATION, START, TENANT, Machine, make_id
from tests.unit.audit.story import run_story

ENTITIES = tuple(make_id(f"entity-{n}") for n in range(3))
TYPES = ("Call", "e-mail", "On site", "call")


def violations(report: Report) -> list[str]:
    """Every violation as one string."""
    return [f"{check.name}: {found}" for check in report.checks.values() for found in check.violations]


def test_the_story_is_clean_and_every_invariant_was_checked() -> None:
    report = audit(run_story().history())
    assert violations(report) == []
    assert report.ok
    assert all(check.checked for check in report.checks.values())
    assert report.lag == {}
    assert report.notes == []


def test_an_empty_deployment_is_clean() -> None:
    assert violations(audit(Machine().history())) == []


def test_an_earlier_version_may_have_applied_a_later_command_without_its_event() -> None:
    machine = Machine()
    waiting, applied = ENTITIES[:2]
    for entity in (waiting, applied):
        machine.send("entity.upsert", {"id": entity, "kind": "person", "displayName": "x"}, entity=entity)
        machine.settle()
    row = next(row for row in machine.tables["journal"] if row["entity_id"] == applied)
    row |= {"has_facts": False, "record_kind": None, "events": 0, "states_only": False}
    events = machine.topics[EVENTS]
    events[:] = [record for record in events if record.key != applied.encode()]
    assert violations(audit(machine.history())) == []


def test_an_upsert_that_repeats_a_default_type_leaves_no_row() -> None:
    machine = Machine()
    machine.send("interaction_type.upsert", {"interactionType": "call", "label": "Call"}, entity=ORGANIZATION)
    assert violations(audit(machine.settle().history())) == []


@pytest.mark.parametrize("refused", [{"interactionType": "call", "priority": 999}, {"id": make_id("none")}])
def test_an_undo_may_pass_a_command_of_another_partition_that_never_applied(refused: dict[str, Any]) -> None:
    machine = Machine()
    anna = ENTITIES[0]
    machine.send("entity.upsert", {"id": anna, "kind": "person", "displayName": "x"}, entity=anna)
    home = machine.settle().topics[COMMANDS][0].partition
    machine.send("interaction.undo", {"commandId": "never-applied"}, entity=anna)
    machine.settle()
    kind = "interaction.create" if "priority" in refused else "interaction.complete"
    machine.send(kind, refused, entity=anna, command_id="never-applied", partition=(home + 1) % 3)
    machine.settle()
    # An undo of that undo is refused because it was never applied, in whichever partition it was.
    machine.send("interaction.undo", {"commandId": "command-2"}, entity=anna)
    machine.settle().topics[COMMANDS].sort(key=lambda record: record.partition == home)
    assert violations(audit(machine.history())) == []


def test_a_dead_letter_leaves_its_id_to_a_command_that_can_be_undone() -> None:
    machine = Machine()
    anna = ENTITIES[0]
    machine.send("entity.upsert", {"id": anna, "kind": "person", "displayName": "x"}, entity=anna)
    machine.send("interaction.create", {"interactionType": "call"}, entity=anna, command_id="made")
    record = machine.settle().topics[COMMANDS][-1]
    assert record.value is not None
    broken = record.value.replace(b'"specversion":"1.0"', b'"specversion":"9"')
    assert broken != record.value
    machine.append(record.key, broken)
    machine.send("interaction.undo", {"commandId": "made"}, entity=anna)
    assert violations(audit(machine.settle().history())) == []
    assert machine.journal[-1]["outcome"] == "applied"


def test_changes_that_name_nothing_and_versions_of_deals_are_read_alike() -> None:
    machine, anna, deal = Machine(), ENTITIES[0], make_id("deal")
    person, roof = {"id": anna, "kind": "person"}, {"id": deal}
    sent: list[tuple[str, dict[str, Any], str, str]] = [
        ("entity.upsert", person, anna, "rejected"),
        ("entity.upsert", {**person, "displayName": "Anna"}, anna, "applied"),
        ("entity.upsert", {**person, "primaryPhone": "1"}, anna, "applied"),
        ("deal.upsert", {**roof, "status": "open"}, anna, "rejected"),
        ("deal.upsert", {**roof, "title": "Roof", "expectedVersion": 0}, anna, "applied"),
        ("deal.upsert", {**roof, "title": "Roof", "expectedVersion": 0}, anna, "rejected"),
        ("deal.upsert", {**roof, "status": "open", "expectedVersion": 1}, anna, "applied"),
        ("deal.upsert", {**roof, "status": "open"}, anna, "no_op"),
        (
            "interaction_type.upsert",
            {"interactionType": "demo", "expectedVersion": 0},
            ORGANIZATION,
            "applied",
        ),
        (
            "interaction_type.upsert",
            {"interactionType": "demo", "expectedVersion": 0},
            ORGANIZATION,
            "rejected",
        ),
    ]
    for kind, data, entity, outcome in sent:
        machine.send(kind, data, entity=entity)
        machine.settle()
        assert machine.journal[-1]["outcome"] == outcome, (kind, data)
    assert violations(audit(machine.history())) == []


def _instant(chance: random.Random) -> str:
    return (START + timedelta(seconds=chance.randint(-20, 40))).isoformat()


def _command(chance: random.Random, sent: list[str]) -> tuple[str, dict[str, Any], str]:
    """Generate one command, likely to conflict: few entities, few interactions, few instants."""
    aside = random.Random(len(sent))
    entity = chance.choice(ENTITIES)
    # Rarely another entity's interaction: another partition's state decides such commands.
    owner = entity if chance.random() < 0.97 else chance.choice(ENTITIES)
    interaction = make_id(f"interaction-{owner}-{chance.randint(1, 3)}")
    maybe: dict[str, Any] = {}
    if chance.random() < 0.4:
        maybe["sourceTimestamp"] = _instant(chance)
    if chance.random() < 0.15:
        maybe["expectedVersion"] = chance.randint(0, 4)
    if chance.random() < 0.05:
        maybe["validateOnly"] = True
    details: dict[str, Any] = {}
    choices: tuple[tuple[str, list[Any]], ...] = (
        ("title", ["a", "b" * 60, None]),
        ("scheduledAt", [_instant(chance), None]),
        ("occurredAt", [_instant(chance), None]),
        ("priority", [1, 2, None]),
        ("appearanceColor", ["#aabbcc", None]),
        ("dealId", [make_id(f"deal-{entity}"), None]),
    )
    for name, values in choices:
        if chance.random() < 0.4:
            details[name] = chance.choice(values)
    verb = chance.choices(
        ["create", "update", "complete", "cancel", "reopen", "delete", "undo", "mark_due", "entity", "deal",
         "type", "recompute_next", "flag"],
        [20, 15, 12, 7, 10, 8, 18, 8, 6, 4, 3, 3, 3],
    )[0]  # fmt: skip
    if verb == "create":
        chosen = {"id": interaction} if chance.random() < 0.8 else {}
        kind = {"interactionType": chance.choice(TYPES)}
        if aside.random() < 0.2:
            details["createdAt"] = _instant(aside)
        if aside.random() < 0.2:
            details["source"] = aside.choice(["migration:activity", "migration:todo_link", "manual"])
            details["updatedAt"] = _instant(aside)
        return "interaction.create", {**chosen, **kind, **details, **maybe}, entity
    if verb == "update":
        if aside.random() < 0.3:
            details["status"] = aside.choice(["planned", "done", "canceled"])
        return "interaction.update", {"id": interaction, **details, **maybe}, entity
    if verb == "undo":
        maybe.pop("expectedVersion", None)
        return "interaction.undo", {"commandId": chance.choice(sent or ["none"]), **maybe}, entity
    if verb == "mark_due":
        due = {"scheduleVersion": chance.randint(1, 4), "phase": chance.choice(["due", "overdue"])}
        return "interaction.mark_due", {"id": interaction, **due}, entity
    if verb == "entity":
        named = {"displayName": chance.choice(["x", "y"])}
        return "entity.upsert", {"id": entity, "kind": "person", **named, **maybe}, entity
    if verb == "deal":
        maybe.pop("expectedVersion", None)
        return "deal.upsert", {"id": make_id(f"deal-{entity}"), "title": chance.choice("tu"), **maybe}, entity
    if verb == "type":
        maybe.pop("expectedVersion", None)
        entry = {"interactionType": chance.choice(TYPES), "label": chance.choice(["L", "M"]), **maybe}
        return "interaction_type.upsert", entry, ORGANIZATION
    if verb == "flag":
        flag = {"flag": chance.choice(sorted(FLAGS)), "enabled": chance.random() < 0.5}
        return "feature_flag.set", flag, TENANT
    if verb == "recompute_next":
        return "interaction.recompute_next", {}, entity
    if verb == "complete" and aside.random() < 0.5:
        if aside.random() < 0.5:
            maybe["feedback"] = aside.choice(["went well", "f" * 60])
        following = {name: value for name, value in details.items() if name != "occurredAt"}
        maybe["next"] = {"interactionType": aside.choice(TYPES), **following}
    return f"interaction.{verb}", {"id": interaction, **maybe}, entity


def random_history(seed: int, length: int) -> Machine:
    """Generate a history of ``length`` commands; some are repeated, some reuse a command id."""
    chance, machine, sent = random.Random(seed), Machine(), list[str]()
    known: list[tuple[str, dict[str, Any], str, str]] = []
    for entity in ENTITIES[:2]:
        machine.send("entity.upsert", {"id": entity, "kind": "person", "displayName": "x"}, entity=entity)
    for _ in range(length):
        kind, data, entity = _command(chance, sent)
        identity = None
        if known and chance.random() < 0.08:
            kind, data, entity, identity = chance.choice(known)
            if chance.random() < 0.3:
                data = {**data, "syncOrigin": "other"}
        sent.append(machine.send(kind, data, entity=entity, command_id=identity))
        known.append((kind, data, entity, sent[-1]))
        if chance.random() < 0.5:
            machine.settle()
    return machine.settle()


@settings(max_examples=scaled(60), suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), length=st.integers(1, 60))
def test_random_histories_are_clean(seed: int, length: int) -> None:
    report = audit(random_history(seed, length).history())
    assert violations(report) == []


@pytest.mark.parametrize("seed", range(3))
def test_long_random_histories_are_clean(seed: int) -> None:
    report = audit(random_history(seed, 400).history())
    assert violations(report) == []
    # Most outcomes must be derived, not taken as recorded; otherwise the check proves nothing.
    assert report.checks["A2"].trusted < report.checks["A2"].checked / 10
