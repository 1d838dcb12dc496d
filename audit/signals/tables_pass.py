"""Compare signals, drafts and outcomes with the fold, and with their last events (A2, A4, A5, A10)."""

from __future__ import annotations

from typing import Final

from audit.event_pass import Events
from audit.findings import Report
from audit.fold import Fold
from audit.history import History
from audit.signals.invariants import Invariants
from audit.signals.rows import NAMES, TABLES, Child, Draft, Outcome, Signal, differing, from_row
from audit.tables_pass import Tables

_NOUNS: Final[dict[type[Child], str]] = {Signal: "a signal", Draft: "a draft", Outcome: "an outcome"}


def read_child_tables(history: History, tables: Tables, fold: Fold, events: Events, report: Report) -> None:
    """Compare every row with the fold, and check the invariants of signals.

    :param tables: read so far; the rows are added.
    """
    checks = _Checks(tables, fold, events, report)
    invariants = Invariants(tables, fold, report)
    for row in history.rows(TABLES[Signal]):
        signal = from_row(Signal, row)
        tables.signals[signal.id] = hash(signal)
        checks.compare(signal)
        invariants.signal(signal)
    for row in history.rows(TABLES[Draft]):
        draft = from_row(Draft, row)
        tables.drafts[draft.id] = hash(draft)
        checks.compare(draft)
        invariants.draft(draft)
    for row in history.rows(TABLES[Outcome]):
        entry = from_row(Outcome, row)
        checks.compare(entry)
        invariants.outcome(entry)
    invariants.close()
    checks.missing_rows()


class _Checks:
    """Comparison of the rows with the fold and the events."""

    def __init__(self, tables: Tables, fold: Fold, events: Events, report: Report) -> None:
        self._tables, self._fold, self._events, self._report = tables, fold, events, report
        self._lagging = fold.inputs.publications.entities

    def compare(self, theirs: Child) -> None:
        """Compare one row."""
        a2, a5, a10 = (self._report.checks[name] for name in ("A2", "A5", "A10"))
        kind = type(theirs)
        where = {"table": TABLES[kind], "id": theirs.id, "entityId": theirs.entity_id}
        a10.checked += 1
        if self._tables.scopes.get(theirs.entity_id) != (theirs.tenant_id, theirs.organization_id):
            a10.fail(f"{_NOUNS[kind]} is in another scope than its customer", **where)
        if not isinstance(theirs, Outcome):
            self._published(theirs, where)
        state = self._fold.model.entities.get(theirs.entity_id)
        if state is not None and state.partial:
            return
        a2.checked += 1
        a5.checked += 1
        ours = state.children.rows(kind).pop(theirs.id, None) if state else None
        if ours is None:
            if state is not None or not self._fold.inputs.commands_truncated:
                a5.fail(f"{_NOUNS[kind]} that no applied command made", **where)
        elif ours != theirs:
            a2.fail(f"differs from the fold in {', '.join(differing(ours, theirs))}", **where)

    def _published(self, theirs: Signal | Draft, where: dict[str, str]) -> None:
        """Compare a row with its last event, and with what results say about it."""
        a4, a14 = self._report.checks["A4"], self._report.checks["A14"]
        self._tables.child_owners[theirs.id] = theirs.entity_id
        saved = self._fold.inputs.results.saved
        saved.found(NAMES[type(theirs)], theirs.id, theirs.entity_id, theirs.version, a14)
        link = self._events.children.last.get((theirs.id, theirs.entity_id))
        if theirs.entity_id in self._lagging or (link is None and self._events.oldest is not None):
            return
        a4.checked += 1
        if link is None or link.after != hash(theirs):
            place = f" ({link.partition}:{link.offset})" if link else ""
            a4.fail(f"the row is not the after of its last event{place}", **where)

    def missing_rows(self) -> None:
        """Report rows that the fold derived, or the last event shows, and no table has."""
        a2, a4 = self._report.checks["A2"], self._report.checks["A4"]
        for state in self._fold.model.entities.values():
            if state.partial:
                continue
            for kind in TABLES:
                for identity in state.children.rows(kind):
                    a2.fail(f"{_NOUNS[kind]} was made and is not in the table", table=TABLES[kind],
                            id=identity, entityId=state.id)  # fmt: skip
        held = self._tables.child_owners
        for (identity, entity), link in self._events.children.last.items():
            if link.after and identity not in held and entity not in self._lagging:
                a4.fail("the last event shows a signal or draft that has no row", id=identity,
                        partition=link.partition, offset=link.offset)  # fmt: skip
