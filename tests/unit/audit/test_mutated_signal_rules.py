"""Deliberate bugs in the rules of signals and drafts: rows, events and results agree, and are wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

import domain.drafts
import domain.fix
import domain.row_changes
import domain.row_undo
import domain.signals
import domain.transition
import domain.undo
from audit.run import audit
from domain.decision import Decision
from domain.model import Draft, SignalOutcome
from schemas.errors import Reject
from tests.unit.audit.machine import Machine, make_id
from tests.unit.audit.planting import failed
from tests.unit.audit.signal_story import written

ADA, CALL, FIRST, SECOND, PERSON = (make_id(name) for name in ("ada", "call", "first", "second", "person"))
Mutate = Callable[[pytest.MonkeyPatch], None]


class Mutant(NamedTuple):
    """A bug, the command after which it shows, and the violations that it must cause."""

    mutate: Mutate
    until: str
    found: dict[str, str]


MUTANTS: dict[str, Mutant] = {}


def mutant(until: str, **found: str) -> Callable[[Mutate], Mutate]:
    """Register a bug.

    :param until: the last command of the history.
    :param found: violated invariants, each with a part of the text of its violation.
    """

    def register(mutate: Mutate) -> Mutate:
        MUTANTS[mutate.__name__.strip("_")] = Mutant(mutate, until, found)
        return mutate

    return register


def tell(m: Machine, until: str) -> None:
    """Send commands one by one, up to the given one; their outcomes do not matter."""
    signal = {"interactionId": CALL, "kind": "promise", "title": "Send the offer"}
    fix = {"id": CALL, "title": "The offer", "signals": [{"id": FIRST, "title": "Two offers"}]}
    half = {**fix, "title": "Half", "signals": [*fix["signals"], {"id": make_id("none"), "title": "x"}]}
    steps: list[tuple[str, str, Callable[[], dict[str, Any]], str | None]] = [
        ("customer", "entity.upsert", lambda: {"id": ADA, "kind": "person", "displayName": "Ada"}, None),
        ("create", "interaction.create", lambda: {"id": CALL, "interactionType": "call"}, None),
        ("first", "signal.record", lambda: {"id": FIRST, **signal, "personId": PERSON}, None),
        ("second", "signal.record", lambda: {"id": SECOND, **signal}, None),
        ("skip", "signal.skip", lambda: {"id": SECOND}, None),
        ("reopen", "signal.reopen", lambda: {"id": SECOND}, None),
        ("resolve", "signal.resolve", lambda: {"id": FIRST, "channel": "email"}, "ann"),
        ("late", "signal.attach_draft", lambda: written(FIRST, 1), "writer"),
        ("attach", "signal.attach_draft", lambda: written(FIRST, _resolution(m)), "writer"),
        ("resolve second", "signal.resolve", lambda: {"id": SECOND, "channel": "text"}, "bob"),
        ("fix", "interaction.fix", lambda: fix, None),
        ("half", "interaction.fix", lambda: half, None),
        ("delete", "interaction.delete", lambda: {"id": CALL}, None),
        ("restore", "interaction.undo", lambda: {"commandId": "delete"}, None),
    ]
    for name, kind, data, actor in steps:
        m.send(kind, data(), entity=ADA, command_id=name, actor=actor)
        m.settle()
        if name == until:
            return


def _resolution(m: Machine) -> int:
    return m.work.signals[FIRST].resolution or 1


@mutant(
    "attach",
    A2="a draft was made and is not in the table",
    A4="the last event shows a signal or draft that has no row",
    A8="a tombstone is missing",
    A11="a resolved signal without its draft",
    A14="a result reports a draft as saved that does not exist",
)
def _resolved_without_storing_the_draft(patch: pytest.MonkeyPatch) -> None:
    true = domain.row_changes.written
    patch.setattr(domain.row_changes, "written", lambda changes: tuple(
        row for row in true(changes) if not isinstance(row, Draft)))  # fmt: skip


@mutant("attach", A2="differs from the fold in user_id", A4="does not show the change", A12="in user_id")
def _draft_of_the_writer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(domain.signals, "Draft", lambda **fields: Draft(**{**fields, "user_id": "writer"}))


@mutant("attach", A2="differs from the fold in person_id", A4="does not show the change", A12="in person_id")
def _draft_to_the_customer(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(domain.signals, "Draft", lambda **fields: Draft(**{**fields, "person_id": ADA}))


@mutant(
    "late",
    A2="recorded as applied, the rules say rejected (not_resolving)",
    A5="a draft that no applied command made",
)
def _late_answer_taken(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(domain.signals, "_check_resolving", lambda *_: None)


@mutant("skip", A2="an outcome was made and is not in the table")
def _skipped_without_an_outcome(patch: pytest.MonkeyPatch) -> None:
    true = domain.row_changes.written
    patch.setattr(domain.row_changes, "written", lambda changes: tuple(
        row for row in true(changes) if not isinstance(row, SignalOutcome)))  # fmt: skip


@mutant("skip", A2="the rules say", A4="version 2 follows 2")
def _version_used_twice(patch: pytest.MonkeyPatch) -> None:
    for module in (domain.row_changes, domain.signals, domain.drafts, domain.fix, domain.row_undo):
        patch.setattr(module, "version_after", lambda entity: entity.entity_version)


@mutant(
    "fix", A2="differs from the fold in title, version, updated_at", A4="customers.signal.updated is missing"
)
def _fix_without_its_signals(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(domain.fix, "_signal_changes", lambda *_: ())


@mutant("half", A2="recorded as applied, the rules say rejected (signal_not_found)")
def _fix_applied_in_part(patch: pytest.MonkeyPatch) -> None:
    true = domain.fix._signal_changes

    def forgiving(*arguments: Any) -> tuple[Any, ...]:
        try:
            return true(*arguments)
        except Reject:
            return ()

    patch.setattr(domain.fix, "_signal_changes", forgiving)


@mutant(
    "delete",
    A2="invalidates are not the tags",
    A4="customers.signal.deleted is missing",
    A5="a signal that no applied command made",
    A13="a signal without its interaction",
)
def _deletion_leaves_signals(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(domain.transition, "removal_of_signals", lambda *_: ())


@mutant(
    "restore",
    A2="a signal was made and is not in the table",
    A4="customers.signal.recorded is missing",
)
def _restoration_without_signals(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(domain.undo, "reverted", lambda *_: ())


@mutant("restore", A2="differs from the fold in status", A4="does not show the change")
def _restored_as_resolving(patch: pytest.MonkeyPatch) -> None:
    def faithful(row: Any, **fields: Any) -> Any:
        return replace(row, **{**fields, "status": row.status})

    patch.setattr(domain.row_undo, "replace", faithful)


@mutant(
    "second",
    A1="a command without a log row",
    A14="a result reports a signal as saved that does not exist",
)
def _answered_without_a_commit(patch: pytest.MonkeyPatch) -> None:
    true = Machine._store

    def losing(m: Machine, decision: Decision) -> None:
        if decision.entry.command_id != "second":
            true(m, decision)
            return
        entity = m.work.entities[ADA]
        m.work.entities[ADA] = replace(entity, entity_version=entity.entity_version - 1)
        m.work.signals.remove(m.work.signals[SECOND])

    patch.setattr(Machine, "_store", losing)


@pytest.mark.parametrize("name", ["", *sorted(MUTANTS)])
def test_each_bug_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bug, the same history is clean."""
    bug = MUTANTS.get(name)
    if bug is not None:
        bug.mutate(monkeypatch)
    machine = Machine()
    tell(machine, bug.until if bug is not None else "")
    report = audit(machine.history())
    found = {check: report.checks[check].violations for check in failed(report)}
    wanted = bug.found if bug is not None else {}
    assert found.keys() == wanted.keys(), found
    for check, what in wanted.items():
        assert any(what in violation["what"] for violation in found[check]), (check, found[check])
