"""Whether what was recorded for a command is what the rules say (A2)."""

from __future__ import annotations

from typing import Final

from audit.audit_inputs import Evidence
from audit.effects_check import named
from audit.entity_state import Subject
from audit.envelope import Parsed
from audit.expected import NAMED, Decision
from audit.findings import place_of
from audit.results_pass import Recorded

_STRICT: Final = "unknown_interaction_type"


class Comparison:
    """Compares outcomes, and remembers which rejections only the end of the history can judge.

    :ivar doubtful: by tenant and organization, a command rejected for a type that was not known.
    :ivar contested: deleted interactions that were not brought back, as if another entity had their id.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._a2 = evidence.report.checks["A2"]
        self.doubtful: dict[tuple[str, str], dict[str, object]] = {}
        self.contested: list[tuple[str, Parsed]] = []

    def agrees(
        self,
        command: Parsed,
        recorded: Recorded,
        decision: Decision,
        subject: Subject | None,
        *,
        logged: bool,
    ) -> bool:
        """Whether the command was applied as the rules say; a difference breaks A2.

        :param logged: it changed, or should have changed, something (a mere question does not).
        """
        if recorded.outcome == decision.outcome:
            if recorded.outcome == "rejected":
                self._name(command, recorded, decision)
            return recorded.outcome == "applied"
        if recorded.outcome in decision.either:
            self._a2.trusted += 1
            if recorded.outcome == "applied" and command.kind == "interaction.recompute_next":
                decision.outcome, decision.bumps, decision.next = "applied", True, None
            return recorded.outcome == "applied"
        if recorded.outcome == "rejected" and self._excused(command, recorded, decision):
            self._a2.trusted += 1
            return False
        said = f"{recorded.outcome}{f' ({recorded.code})' if recorded.code else ''}"
        due = f"{decision.outcome}{f' ({decision.code})' if decision.code else ''}"
        self._a2.fail(f"recorded as {said}, the rules say {due}", command.record, **named(command))
        if logged and subject is not None and "applied" in (recorded.outcome, decision.outcome):
            subject.diverged = True
        return False

    def _name(self, command: Parsed, recorded: Recorded, decision: Decision) -> None:
        if decision.code not in NAMED or recorded.code == decision.code:
            return
        if recorded.code in decision.cross or recorded.code is None:
            self._a2.trusted += 1
        else:
            what = f"rejected as {recorded.code}, the rules say {decision.code}"
            self._a2.fail(what, command.record, **named(command))

    def _excused(self, command: Parsed, recorded: Recorded, decision: Decision) -> bool:
        """A rejection that a fact of another partition, or the database itself, gives reason for."""
        record = command.record
        if recorded.code in decision.cross:
            if recorded.code == _STRICT:
                scope = (command.tenant, command.organization)
                self.doubtful.setdefault(scope, {**place_of(record), **named(command)})
            elif recorded.code == "undo_unsafe" and decision.interaction is not None:
                self.contested.append((decision.interaction, command))
            return True
        if (record.partition, record.offset) in self._evidence.letters:
            self._evidence.report.note("some commands were refused by the database; each has its dead letter")
            return True
        return False
