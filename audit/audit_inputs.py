"""Audit inputs: everything recorded about the commands, loaded before they are folded."""

from __future__ import annotations

from dataclasses import dataclass

from audit.dead_letters import COMMANDS, DeadLetters
from audit.event_pass import Events
from audit.findings import Report
from audit.history import History, Offsets
from audit.ledger import Ledger
from audit.publication_pass import Publications
from audit.results_pass import Results


@dataclass(slots=True, kw_only=True)
class AuditInputs:
    """Journal, results, events, publications and dead letters of one history, and the report to fill.

    :param watermark: first offset not yet applied, per partition of the commands topic.
    """

    history: History
    report: Report
    watermark: Offsets
    ledger: Ledger
    results: Results
    events: Events
    publications: Publications
    dead_letters: DeadLetters

    def begin(self, partition: int) -> int:
        """First retained offset of a partition of the commands topic."""
        return self.history.cut.begin.get(COMMANDS, {}).get(partition, 0)

    @property
    def commands_truncated(self) -> bool:
        """Return whether retention has removed commands."""
        return self.history.cut.is_truncated(COMMANDS)

    def is_answered(self, partition: int, offset: int) -> bool:
        """Return whether the group has committed past a record: its result and dead letter must exist."""
        return offset < self.history.cut.committed.get(partition, 0)
