"""Resolutions: for whom each draft was requested, from the commands alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from audit.signals.answer_rules import draft_id
from audit.signals.children import Change
from audit.signals.rows import Draft, Signal


class Resolution(NamedTuple):
    """Scope and user of a ``signal.resolve``; the person as of the draft, ``None`` without one."""

    tenant_id: str
    organization_id: str
    user_id: str | None
    person_id: str | None = None


class Resolutions:
    """Resolutions by the id of their draft, which follows from the signal and the resolution."""

    def __init__(self) -> None:
        self._of: dict[str, Resolution] = {}

    def note(self, changes: Iterable[Change]) -> None:
        """Note the resolutions that a command begins, and the drafts that it adds."""
        for change in changes:
            row = change.after
            if isinstance(row, Signal) and change.event == "signal.resolving" and row.resolution is not None:
                resolution = Resolution(row.tenant_id, row.organization_id, row.resolved_by)
                self._of[draft_id(row, row.resolution)] = resolution
            elif isinstance(row, Draft) and change.event == "draft.created" and row.id in self._of:
                self._of[row.id] = self._of[row.id]._replace(person_id=row.person_id)

    def find(self, draft: str) -> Resolution | None:
        """Find the resolution of a draft."""
        return self._of.get(draft)
