"""Rows that journal entries report as saved or removed; the last entry of a row decides."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from domain.journal import Erased, Facts, JournalEntry
from domain.model import Draft, Signal, SignalOutcome
from sinks.integrity.violations import Violation

_NOUNS: Final = {
    "customer": "a customer",
    "interaction": "an interaction",
    "signal": "a signal",
    "draft": "a draft",
}
_KINDS: Final = {Signal: "signal", Draft: "draft"}


@dataclass(frozen=True, slots=True)
class Mention:
    """Last entry that names a row.

    :param position: of the entry in the journal. The positions of one row's entries have the order of its
        changes, because they are drawn after its lock is held.
    :param saved: the row exists after the entry, or does not.
    """

    position: int
    saved: bool
    tenant_id: str
    organization_id: str
    entity_id: str

    def lost(self, subject: str, subject_id: str) -> Violation:
        """Build the violation of a row that should exist."""
        what = f"{_NOUNS[subject]} that an applied command left has no row"
        return Violation(
            "A14", subject, subject_id, self.tenant_id, self.organization_id, self.entity_id, what
        )


@dataclass(slots=True)
class SavedRows:
    """Last mention per kind of row and id."""

    mentions: dict[str, dict[str, Mention]] = field(default_factory=lambda: {kind: {} for kind in _NOUNS})

    def add(self, entries: Iterable[tuple[int, JournalEntry]]) -> None:
        """Add applied entries with their positions, in any order."""
        for position, entry in entries:
            if entry.entity_id is None:
                continue
            for (kind, identity), saved in dict(_mentioned(entry)).items():
                known = self.mentions[kind].get(identity)
                if known is None or position >= known.position:
                    self.mentions[kind][identity] = Mention(
                        position, saved, entry.tenant_id, entry.organization_id, entry.entity_id
                    )

    def saved(self, kind: str) -> list[str]:
        """Ids of the rows of one kind that exist after their last entry."""
        return [identity for identity, mention in self.mentions[kind].items() if mention.saved]


def _mentioned(entry: JournalEntry) -> Iterator[tuple[tuple[str, str], bool]]:
    """Yield the rows that an entry names, by kind and id, and whether they exist after it.

    Of two for the same row the last one counts.
    """
    facts = entry.facts
    # A scrubbed entry of an erased customer no longer names the rows that it removed.
    if not isinstance(facts, Facts) or facts.scrubbed is not None:
        return
    if facts.erased is not None:
        yield from _gone_with(entry, facts.erased)
        return
    if entry.entity_version is not None and entry.entity_id is not None:
        yield ("customer", entry.entity_id), True
    if entry.interaction_id is not None and facts.signal_id is None and facts.draft_id is None:
        yield ("interaction", entry.interaction_id), facts.after is not None or facts.before is None
    if facts.step is not None:
        yield ("interaction", facts.step.row.id), facts.step.after is not None
    # A result names them; what the changes say about the same row counts more.
    if facts.signal_id is not None:
        yield ("signal", facts.signal_id), True
    if facts.draft_id is not None:
        yield ("draft", facts.draft_id), True
    for change in facts.changes:
        row = change.row
        if not isinstance(row, SignalOutcome):
            yield (_KINDS[type(row)], row.id), change.after is not None


def _gone_with(entry: JournalEntry, erased: Erased) -> Iterator[tuple[tuple[str, str], bool]]:
    """Yield the rows that went with an erased customer."""
    assert entry.entity_id is not None
    gone = {
        "customer": (entry.entity_id,),
        "interaction": erased.interactions,
        "signal": erased.signals,
        "draft": erased.drafts,
    }
    for kind, ids in gone.items():
        for identity in ids:
            yield (kind, identity), False
