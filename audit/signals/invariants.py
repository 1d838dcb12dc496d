"""Invariants of the rows of signals and drafts (A11, A12, A13, A15). They need no command."""

from __future__ import annotations

from typing import NamedTuple

from audit.findings import Report
from audit.fold import Fold
from audit.instants import show
from audit.signals.rows import TABLES, Draft, Outcome, Signal
from audit.tables_pass import Tables


class _Held(NamedTuple):
    """A signal as far as its drafts and outcomes depend on it; ``draft`` if it is resolved."""

    interaction: str
    entity: str
    tenant: str
    organization: str
    draft: str | None
    user: str | None


class Invariants:
    """Checks of all signals, then of all drafts and outcomes; ``close`` ends them."""

    def __init__(self, tables: Tables, fold: Fold, report: Report) -> None:
        self._tables, self._fold = tables, fold
        self._a11, self._a12, self._a13, self._a15 = (
            report.checks[name] for name in ("A11", "A12", "A13", "A15")
        )
        cut = fold.inputs.history.cut
        now = fold.newest if cut.now is None else cut.now
        self._oldest_request = now - round(cut.resolution_seconds * 1_000_000)
        self._signals: dict[str, _Held] = {}
        #: Draft → its signal.
        self._drafts: dict[str, str] = {}

    def signal(self, row: Signal) -> None:
        """Check a signal, and keep what its drafts need."""
        self._a13.checked += 1
        where = {"table": TABLES[Signal], "id": row.id, "entityId": row.entity_id}
        if self._tables.owners.get(row.interaction_id) != row.entity_id:
            what = "a signal without its interaction"
            self._a13.fail(what, **where, interactionId=row.interaction_id)
        resolved = row.status == "resolved"
        self._a11.checked += resolved
        if resolved and row.draft_id is None:
            self._a11.fail("a resolved signal names no draft", **where)
        elif not resolved and row.draft_id is not None:
            self._a11.fail("a signal that is not resolved names a draft", **where, draftId=row.draft_id)
        if row.status == "resolving":
            self._check_deadline(row, where)
        self._signals[row.id] = _Held(
            row.interaction_id,
            row.entity_id,
            row.tenant_id,
            row.organization_id,
            row.draft_id if resolved else None,
            row.resolved_by,
        )

    def _check_deadline(self, row: Signal, where: dict[str, str]) -> None:
        self._a15.checked += 1
        if row.requested_at is not None and row.requested_at >= self._oldest_request:
            return
        if row.entity_id in self._fold.pending:
            self._a15.lag += 1  # its answer may be among the commands that are not applied yet
        else:
            self._a15.fail(f"a signal is being resolved since {show(row.requested_at)}", **where)

    def draft(self, row: Draft) -> None:
        """Check a draft against its signal and its resolution."""
        self._drafts[row.id] = row.signal_id
        self._a13.checked += 1
        self._a12.checked += 1
        where = {"table": TABLES[Draft], "id": row.id, "signalId": row.signal_id}
        held = self._signals.get(row.signal_id)
        if held is None or held.interaction != row.interaction_id or held.entity != row.entity_id:
            self._a13.fail("a draft without its signal", **where)
            held = None
        wrong = set[str]()
        if held is not None:
            wrong |= _differing(row, tenant_id=held.tenant, organization_id=held.organization)
            if held.draft == row.id:
                wrong |= _differing(row, user_id=held.user)
        resolution = self._fold.model.resolutions.find(row.id)
        if resolution is not None:
            wrong |= _differing(
                row,
                tenant_id=resolution.tenant_id,
                organization_id=resolution.organization_id,
                user_id=resolution.user_id,
                person_id=resolution.person_id or row.person_id,
            )
        elif held is None or held.draft != row.id:
            self._a12.trusted += 1
        if wrong:
            self._a12.fail(f"a draft differs from its resolution in {', '.join(sorted(wrong))}", **where)

    def outcome(self, row: Outcome) -> None:
        """Check that an outcome has its signal."""
        self._a13.checked += 1
        held = self._signals.get(row.signal_id)
        if held is None or held.interaction != row.interaction_id or held.entity != row.entity_id:
            where = {"table": TABLES[Outcome], "id": row.id, "signalId": row.signal_id}
            self._a13.fail("an outcome without its signal", **where)

    def close(self) -> None:
        """Check that the resolved signals have their drafts."""
        for identity, held in self._signals.items():
            if held.draft is not None and self._drafts.get(held.draft) != identity:
                self._a11.fail("a resolved signal without its draft", table=TABLES[Signal], id=identity,
                               entityId=held.entity, draftId=held.draft)  # fmt: skip


def _differing(row: Draft, **due: str | None) -> set[str]:
    return {name for name, value in due.items() if getattr(row, name) != value}
