"""Decision on one command: its journal entry, and the rows to store."""

from __future__ import annotations

from msgspec import Struct

from domain.journal import Facts, JournalEntry
from domain.model import Outcome
from domain.record_set import Record
from schemas.command import Command, Refused


class Decision(Struct, frozen=True, kw_only=True):
    """Outcome of one command, with the changes to store.

    :param entry: outcome and facts.
    :param first: for a ``duplicate``: the entry of the command's first record.
    :param logged: the entry is stored. False for ``duplicate``, an idempotency conflict, ``validateOnly``,
        and a record that was already applied.
    :param writes: rows to insert or update; ``removes``: rows to delete.
    :param relabeled: code of a type whose label, icon or colour changed: entities that show it need
        ``recompute_next``.
    """

    command: Command | Refused
    entry: JournalEntry
    first: JournalEntry | None = None
    logged: bool = True
    writes: tuple[Record, ...] = ()
    removes: tuple[Record, ...] = ()
    relabeled: str | None = None

    @property
    def outcome(self) -> Outcome:
        """Outcome of the command."""
        return self.entry.outcome

    @property
    def facts(self) -> Facts:
        """Facts of a decision on this record; not those of an entry from an earlier version."""
        facts = self.entry.facts
        assert isinstance(facts, Facts)
        return facts
