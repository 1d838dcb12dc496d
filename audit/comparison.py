"""Whether what was recorded for a command is what the rules say (A2)."""

from __future__ import annotations

from typing import Final

from audit.audit_inputs import AuditInputs
from audit.effects_check import named
from audit.entity_state import Subject
from audit.envelope import Parsed
from audit.expected import NAMED, Expected
from audit.findings import place_of
from audit.results_pass import Recorded

_STRICT: Final = "unknown_interaction_type"


class Comparison:
    """Compares outcomes, and remembers which rejections only the end of the history can judge.

    :ivar doubtful: by tenant and organization, a command rejected for a type that was not known.
    :ivar contested: deleted interactions that were not brought back, as if another entity had their id.
    """

    def __init__(self, inputs: AuditInputs) -> None:
        self._inputs = inputs
        self._a2 = inputs.report.checks["A2"]
        self.doubtful: dict[tuple[str, str], dict[str, object]] = {}
        self.contested: list[tuple[str, Parsed]] = []

    def agrees(
        self,
        command: Parsed,
        recorded: Recorded,
        expected: Expected,
        subject: Subject | None,
        *,
        logged: bool,
    ) -> bool:
        """Whether the command was applied as the rules say; a difference breaks A2.

        :param logged: it changed, or should have changed, something (a mere question does not).
        """
        if recorded.outcome == expected.outcome:
            if recorded.outcome == "rejected":
                self._name(command, recorded, expected)
            return recorded.outcome == "applied"
        if recorded.outcome in expected.either:
            self._a2.trusted += 1
            if recorded.outcome == "applied" and command.kind == "interaction.recompute_next":
                expected.outcome, expected.bumps, expected.next = "applied", True, None
            return recorded.outcome == "applied"
        if recorded.outcome == "rejected" and self._excused(command, recorded, expected):
            self._a2.trusted += 1
            return False
        said = f"{recorded.outcome}{f' ({recorded.code})' if recorded.code else ''}"
        due = f"{expected.outcome}{f' ({expected.code})' if expected.code else ''}"
        self._a2.fail(f"recorded as {said}, the rules say {due}", command.record, **named(command))
        if logged and subject is not None and "applied" in (recorded.outcome, expected.outcome):
            subject.diverged = True
        return False

    def _name(self, command: Parsed, recorded: Recorded, expected: Expected) -> None:
        if expected.code not in NAMED or recorded.code == expected.code:
            return
        if recorded.code in expected.cross or recorded.code is None:
            self._a2.trusted += 1
        else:
            what = f"rejected as {recorded.code}, the rules say {expected.code}"
            self._a2.fail(what, command.record, **named(command))

    def _excused(self, command: Parsed, recorded: Recorded, expected: Expected) -> bool:
        """A rejection that a fact of another partition, or the database itself, gives reason for."""
        record = command.record
        if recorded.code in expected.cross:
            if recorded.code == _STRICT:
                scope = (command.tenant, command.organization)
                self.doubtful.setdefault(scope, {**place_of(record), **named(command)})
            elif recorded.code == "undo_unsafe" and expected.interaction is not None:
                self.contested.append((expected.interaction, command))
            return True
        if (record.partition, record.offset) in self._inputs.dead_letters:
            self._inputs.report.note("some commands were refused by the database; each has its dead letter")
            return True
        return False
