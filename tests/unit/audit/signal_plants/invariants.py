"""Resolved signals without drafts, drafts of others, orphans, and resolutions that do not end."""

from __future__ import annotations

from datetime import timedelta

from schemas.topics import EVENTS
from tests.unit.audit.machine import Machine, make_id
from tests.unit.audit.planting import DRAFTS, OUTCOMES, SIGNALS, Plants, draft_row, image, row_of
from tests.unit.audit.signal_story import (
    CARA,
    CHAT,
    DORA,
    DROPPED,
    KEPT,
    LOST,
    PROMISE,
    QUESTION,
    RISK,
    STRANGER,
    draft_of,
)

PLANTS = Plants()


@PLANTS.add("A11", "a resolved signal without its draft", "A2", "A4", "A8", "A14")
def _draft_row_lost(m: Machine) -> None:
    m.tables[DRAFTS].remove(draft_row(m, KEPT))


@PLANTS.add("A11", "a resolved signal without its draft", "A2", "A4", "A8")
def _resolved_by_a_draft_that_is_nowhere(m: Machine) -> None:
    row_of(m, SIGNALS, KEPT)["draft_id"] = make_id("nowhere")


@PLANTS.add("A11", "a resolved signal without its draft", "A2", "A4", "A8")
def _resolved_by_the_draft_of_another(m: Machine) -> None:
    row_of(m, SIGNALS, KEPT)["draft_id"] = draft_of(m, PROMISE)


@PLANTS.add("A11", "a resolved signal names no draft", "A2", "A4", "A8")
def _resolved_without_a_draft(m: Machine) -> None:
    row_of(m, SIGNALS, KEPT)["draft_id"] = None


@PLANTS.add("A11", "a signal that is not resolved names a draft", "A2", "A4", "A8")
def _open_with_a_draft(m: Machine) -> None:
    row_of(m, SIGNALS, KEPT)["status"] = "open"


@PLANTS.add("A12", "differs from its resolution in tenant_id", "A2", "A4", "A8", "A10")
def _draft_of_another_tenant(m: Machine) -> None:
    draft_row(m, KEPT)["tenant_id"] = STRANGER


@PLANTS.add("A12", "differs from its resolution in organization_id", "A2", "A4", "A8", "A10")
def _draft_of_another_organization(m: Machine) -> None:
    draft_row(m, KEPT)["organization_id"] = STRANGER


@PLANTS.add("A12", "differs from its resolution in user_id", "A2", "A4", "A8")
def _draft_of_another_user(m: Machine) -> None:
    draft_row(m, RISK)["user_id"] = "ann"


@PLANTS.add("A12", "differs from its resolution in user_id", "A2", "A4", "A8")
def _earlier_draft_of_the_later_user(m: Machine) -> None:
    row = next(row for row in m.tables[DRAFTS] if row["signal_id"] == PROMISE and row["status"] == "sent")
    row["user_id"] = draft_row(m, PROMISE)["user_id"]


@PLANTS.add("A12", "differs from its resolution in person_id", "A2", "A4", "A8")
def _draft_to_another_person(m: Machine) -> None:
    draft_row(m, RISK)["person_id"] = DORA


@PLANTS.add("A13", "a signal without its interaction", "A2", "A3", "A4", "A8", "A14")
def _interaction_of_a_signal_lost(m: Machine) -> None:
    m.tables["customer_interactions"].remove(row_of(m, "customer_interactions", CHAT))


@PLANTS.add("A13", "a signal without its interaction", "A4", "A5", "A8")
def _signal_left_by_a_deletion(m: Machine) -> None:
    row = row_of(m, SIGNALS, QUESTION)
    m.tables[SIGNALS].append({**row, "id": DROPPED, "interaction_id": LOST})


@PLANTS.add("A13", "a draft without its signal", "A4", "A5", "A8")
def _draft_left_by_a_deletion(m: Machine) -> None:
    removed = image(
        m, m.find(EVENTS, ce_causationid="delete-lost", ce_type="customers.draft.removed"), "before"
    )
    named = {"id": removed["id"], "signal_id": DROPPED, "interaction_id": LOST}
    row = {**draft_row(m, KEPT), **named, "user_id": "bob", "version": removed["version"]}
    m.tables[DRAFTS].append(row)


@PLANTS.add("A13", "an outcome without its signal", "A5")
def _outcome_left_by_a_deletion(m: Machine) -> None:
    row = {**m.tables[OUTCOMES][0], "id": make_id("left"), "signal_id": DROPPED, "interaction_id": LOST}
    m.tables[OUTCOMES].append(row)


@PLANTS.add("A15", "a signal is being resolved since 2026-03-02T")
def _left_resolving_by_the_clock_of_the_database(m: Machine) -> None:
    m.cut.now = int((m.now + timedelta(minutes=16)).timestamp() * 1_000_000)


@PLANTS.add("A15", "a signal is being resolved since 2026-03-02T")
def _left_resolving_by_the_newest_command(m: Machine) -> None:
    m.now += timedelta(minutes=16)
    m.send("draft.restore", {"id": make_id("none")}, entity=CARA)
    m.settle()
