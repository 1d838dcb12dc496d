"""Rows of signals, drafts and outcomes that are not what the commands give."""

from __future__ import annotations

from schemas.topics import EVENTS
from tests.unit.audit.machine import Machine, make_id
from tests.unit.audit.planting import DRAFTS, OUTCOMES, SIGNALS, Plants, image, row_of
from tests.unit.audit.signal_story import PROMISE, QUESTION, RISK, STRANGER, WAITING

PLANTS = Plants()


@PLANTS.add("A2", "differs from the fold in title", "A4", "A8")
def _signal_changed(m: Machine) -> None:
    row_of(m, SIGNALS, PROMISE)["title"] = "Send nothing"


@PLANTS.add("A2", "differs from the fold in body", "A4", "A8")
def _long_text_changed(m: Machine) -> None:
    row_of(m, SIGNALS, RISK)["body"] = "b" * 299 + "c"


@PLANTS.add("A2", "differs from the fold in sent_at", "A4", "A8")
def _time_of_sending_lost(m: Machine) -> None:
    next(row for row in m.tables[DRAFTS] if row["status"] == "sent")["sent_at"] = None


@PLANTS.add("A2", "an outcome was made and is not in the table")
def _outcome_lost(m: Machine) -> None:
    m.tables[OUTCOMES].remove(next(row for row in m.tables[OUTCOMES] if row["command_id"] == "skip-question"))


@PLANTS.add("A2", "differs from the fold in detail")
def _outcome_without_its_reason(m: Machine) -> None:
    next(row for row in m.tables[OUTCOMES] if row["command_id"] == "skip-question")["detail"] = None


@PLANTS.add("A2", "a signal was made and is not in the table", "A4", "A8", "A14")
def _signal_lost(m: Machine) -> None:
    m.tables[SIGNALS].remove(row_of(m, SIGNALS, WAITING))


@PLANTS.add("A2", "differs from the fold in kind, version", "A4", "A8")
def _fix_without_one_of_its_signals(m: Machine) -> None:
    before = image(m, m.find(EVENTS, ce_causationid="fix-later", ce_subject=QUESTION), "before")
    row_of(m, SIGNALS, QUESTION).update(kind=before["kind"], version=before["version"])


@PLANTS.add("A5", "an outcome that no applied command made")
def _outcome_of_no_command(m: Machine) -> None:
    m.tables[OUTCOMES].append({**m.tables[OUTCOMES][0], "id": make_id("ghost")})


@PLANTS.add("A5", "a signal that no applied command made", "A4", "A8")
def _signal_of_no_command(m: Machine) -> None:
    m.tables[SIGNALS].append({**row_of(m, SIGNALS, WAITING), "id": make_id("ghost")})


@PLANTS.add("A10", "a signal is in another scope than its customer", "A2", "A4", "A8")
def _signal_of_another_tenant(m: Machine) -> None:
    row_of(m, SIGNALS, WAITING)["tenant_id"] = STRANGER


@PLANTS.add("A10", "an outcome is in another scope than its customer", "A2")
def _outcome_of_another_organization(m: Machine) -> None:
    m.tables[OUTCOMES][0]["organization_id"] = STRANGER
