"""The auditor's rules and the pipeline's agree on random histories of signals and drafts."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.command_data import COMMANDS
from audit.expected import COMPARED_CODES
from audit.run import audit
from schemas.topics import RESULTS
from tests.harness.examples import scaled
from tests.unit.audit.machine import Machine, make_id
from tests.unit.audit.signal_commands import ENTITIES, signal_command
from tests.unit.audit.test_clean_histories import violations

SIGNAL_CODES = {code for code in COMPARED_CODES if "signal" in code or "draft" in code} | {
    "person_required",
    "not_resolving",
}


def random_history(seed: int, length: int) -> Machine:
    """Generate a history of ``length`` commands; some are repeated, some reuse a command id."""
    chance, machine = random.Random(seed), Machine()
    known: list[tuple[str, dict[str, Any], str, str]] = []
    for entity, kind in zip(ENTITIES, ("person", "person", "company"), strict=True):
        machine.send("entity.upsert", {"id": entity, "kind": kind, "displayName": "x"}, entity=entity)
    for number in range(length):
        entity, identity = chance.choice(ENTITIES), f"random-{number}"
        kind, data = signal_command(chance, machine, entity)
        if known and chance.random() < 0.05:
            kind, data, entity, identity = chance.choice(known)
            if chance.random() < 0.3:
                data = {**data, "syncOrigin": "other"}
        if kind in ("interaction.undo", "signal.attach_draft"):
            machine.settle()
        actor = chance.choice(["ann", "bob", None])
        machine.send(kind, data, entity=entity, command_id=identity, actor=actor)
        known.append((kind, data, entity, identity))
        if chance.random() < 0.7:
            machine.settle()
    return machine.settle()


def outcomes(machine: Machine) -> Counter[tuple[str, str]]:
    """Number of results per command type and outcome, or code of the rejection."""
    seen = Counter[tuple[str, str]]()
    for record in machine.topics[RESULTS]:
        value = orjson.loads(record.value or b"")
        code = value["problem"]["code"] if value["problem"] else value["outcome"]
        seen[value["commandType"].removeprefix("customers."), code] += 1
    return seen


@settings(max_examples=scaled(60), suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), length=st.integers(1, 80))
def test_random_histories_are_clean(seed: int, length: int) -> None:
    assert violations(audit(random_history(seed, length).history())) == []


@pytest.mark.parametrize("seed", range(3))
def test_long_random_histories_are_clean(seed: int) -> None:
    report = audit(random_history(seed, 500).history())
    assert violations(report) == []
    assert report.checks["A2"].trusted < report.checks["A2"].checked / 10


def test_the_histories_reach_every_outcome() -> None:
    seen = Counter[tuple[str, str]]()
    for seed in range(20):
        seen += outcomes(random_history(seed, 300))
    kinds = {kind for kind in COMMANDS if kind.startswith(("signal.", "draft."))} | {"interaction.fix"}
    assert {kind for kind in kinds if seen[kind, "applied"] < 5} == set()
    codes = {code for _, code in seen}
    # An interaction with a hundred signals has a test of its own.
    assert SIGNAL_CODES - codes == {"too_many_signals"}


def test_an_interaction_has_at_most_a_hundred_signals() -> None:
    machine, entity, interaction = Machine(), ENTITIES[0], make_id("many signals")
    machine.send("entity.upsert", {"id": entity, "kind": "person", "displayName": "x"}, entity=entity)
    machine.send("interaction.create", {"id": interaction, "interactionType": "call"}, entity=entity)
    for number in range(101):
        data = {"interactionId": interaction, "kind": "risk", "title": str(number)}
        machine.send("signal.record", data, entity=entity)
    assert violations(audit(machine.settle().history())) == []
    assert outcomes(machine)["signal.record", "too_many_signals"] == 1
