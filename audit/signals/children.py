"""Signals, drafts and outcomes of one customer, as derived by the fold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from audit.signals.rows import Child, Draft, Outcome, Signal


class Change(NamedTuple):
    """Change of one row: ``before`` is ``None`` for a new one, ``after`` for one that is removed.

    :param event: type of the event without ``customers.``; an outcome has none.
    """

    event: str | None
    before: Child | None
    after: Child | None

    @property
    def row(self) -> Child:
        """The row after the change, or before its removal."""
        row = self.after if self.after is not None else self.before
        assert row is not None
        return row


class Children:
    """Rows by id, and by their interaction.

    :ivar gone: ids of removed signals.
    """

    __slots__ = ("_of", "drafts", "gone", "outcomes", "signals")

    def __init__(self) -> None:
        self.signals: dict[str, Signal] = {}
        self.drafts: dict[str, Draft] = {}
        self.outcomes: dict[str, Outcome] = {}
        self.gone: set[str] = set()
        self._of: dict[str, dict[tuple[type[Child], str], None]] = {}

    def find(self, row: Child) -> Child | None:
        """Present row of the same kind and id."""
        return self.rows(type(row)).get(row.id)

    def rows(self, kind: type[Child]) -> dict[str, Child]:
        """Rows of one kind by id."""
        held = {Signal: self.signals, Draft: self.drafts, Outcome: self.outcomes}
        return held[kind]  # type: ignore[return-value]

    def of(self, interaction: str) -> list[Child]:
        """Rows of an interaction."""
        return [self.rows(kind)[identity] for kind, identity in self._of.get(interaction, ())]

    def apply(self, changes: Iterable[Change]) -> None:
        """Apply the changes of one command."""
        for change in changes:
            row = change.row
            kind, of = type(row), self._of.setdefault(row.interaction_id, {})
            if change.after is not None:
                self.rows(kind)[row.id] = row
                of[kind, row.id] = None
            else:
                del self.rows(kind)[row.id]
                del of[kind, row.id]
                if isinstance(row, Signal):
                    self.gone.add(row.id)


#: Shared by the customers without signals, which are most.
NO_CHILDREN = Children()


def removal(rows: Iterable[Child]) -> tuple[Change, ...]:
    """Remove rows: signals last, because drafts and outcomes refer to them."""
    found = sorted(rows, key=lambda row: (isinstance(row, Signal), isinstance(row, Draft), row.id))
    return tuple(Change(_REMOVED[type(row)], row, None) for row in found)


_REMOVED: dict[type[Child], str | None] = {
    Signal: "signal.deleted",
    Draft: "draft.removed",
    Outcome: None,
}
