"""Follow the journal: every applied entry has its rows (A14). The cost is proportional to the writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import structlog

from runtime.isolated import note_isolated
from runtime.postgres import Connection
from sinks.integrity.journal_window import JournalWindow, open_window
from sinks.integrity.progress import Progress
from sinks.integrity.violations import Violation
from streams.watch.saved_rows import SavedRows

_log = structlog.get_logger("watch")
#: Entries that one look reads at most. A watch further behind leaves them to the audit, and says so.
MOST_ENTRIES: Final = 50_000


@dataclass(slots=True)
class Look:
    """Result of one look at the journal.

    :param behind: entries that were there.
    :param current: the floor moved, or there was nothing to read. Otherwise an open transaction keeps it in
        place, and the next look reads the same entries once more.
    :param touched: kind of row → ids that the entries name.
    """

    behind: int = 0
    current: bool = True
    skipped: bool = False
    violations: list[Violation] = field(default_factory=list)
    touched: dict[str, list[str]] = field(default_factory=dict)


def look_at_journal(connection: Connection, progress: Progress, most: int = MOST_ENTRIES) -> Look:
    """Check the entries since the last look, and move the floor past them."""
    look = Look()
    with open_window(connection, progress.floor) as window:
        look.behind = window.count(most + 1)
        look.current = window.ceiling > progress.floor or not look.behind
        if look.behind > most:
            look.skipped = look.current
            event = "watch.skipped" if look.skipped else "watch.blocked"
            _log.warning(event, floor=progress.floor, ceiling=window.ceiling, more_than=most)
        elif look.behind:
            saved = SavedRows()
            saved.add(window.entries())
            look.violations = _lost(window, saved)
            for position in window.unreadable:
                note_isolated("watch.isolated", position=position)
            look.touched = {kind: list(found) for kind, found in saved.mentions.items()}
        progress.skipped = progress.skipped or look.skipped
        progress.floor = max(progress.floor, window.ceiling)
    return look


def _lost(window: JournalWindow, saved: SavedRows) -> list[Violation]:
    suspects = _missing(window, saved)
    if not suspects:
        return []
    # Hazard: a transaction that began before the floor may have removed a row after the entry that left it.
    mentions = [saved.mentions[kind][identity] for kind, identity in suspects]
    customers = {mention.entity_id for mention in mentions}
    saved.add(window.later_entries(min(mention.position for mention in mentions), customers))
    return [saved.mentions[kind][identity].lost(kind, identity) for kind, identity in _missing(window, saved)]


def _missing(window: JournalWindow, saved: SavedRows) -> list[tuple[str, str]]:
    return [
        (kind, identity)
        for kind in saved.mentions
        if (ids := saved.saved(kind))
        for identity in sorted(window.missing(kind, ids))
    ]
