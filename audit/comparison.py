"""Compare a command's recorded outcome with the outcome that the auditor's rules derive (A2)."""

from __future__ import annotations

from typing import Final

from audit.audit_inputs import AuditInputs
from audit.effects_check import named
from audit.entity_state import EntityState
from audit.envelope import Parsed
from audit.expected import COMPARED_CODES, Expected
from audit.findings import position_of
from audit.results_pass import Recorded

_STRICT: Final = "unknown_interaction_type"
#: Rejections because another entity holds an id → what is wrong if none does.
_CONTESTED: Final = {
    "undo_unsafe": "an undo was refused as unsafe though nothing changed since",
    "signal_exists": "a signal was refused as existing though there is none",
    "id_not_available": "an id was refused as not available though it is not in use",
}


class Comparison:
    """Compare outcomes; keep the rejections that can be judged only at the end of the history.

    :ivar doubtful: a command rejected for an unknown type, by tenant and organization.
    :ivar contested: commands refused because another entity holds one of the ids, and what is wrong
        otherwise.
    """

    def __init__(self, inputs: AuditInputs) -> None:
        self._inputs = inputs
        self._a2 = inputs.report.checks["A2"]
        self.doubtful: dict[tuple[str, str], dict[str, object]] = {}
        self.contested: list[tuple[frozenset[str], str, Parsed]] = []

    def agrees(
        self,
        command: Parsed,
        recorded: Recorded,
        expected: Expected,
        state: EntityState | None,
        *,
        logged: bool,
    ) -> bool:
        """Return whether the command was applied as derived; a difference violates A2.

        :param logged: the command is in the command log (a dry run is not).
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
        if logged and state is not None and "applied" in (recorded.outcome, expected.outcome):
            state.diverged = True
        return False

    def _name(self, command: Parsed, recorded: Recorded, expected: Expected) -> None:
        if expected.code not in COMPARED_CODES or recorded.code == expected.code:
            return
        if recorded.code in expected.cross or recorded.code is None:
            self._a2.trusted += 1
        else:
            what = f"rejected as {recorded.code}, the rules say {expected.code}"
            self._a2.fail(what, command.record, **named(command))

    def _excused(self, command: Parsed, recorded: Recorded, expected: Expected) -> bool:
        """Return whether another partition's state, or Postgres itself, explains a rejection."""
        record = command.record
        if recorded.code in expected.cross:
            step = expected.step
            if recorded.code == "id_not_available" and command.kind == "interaction.complete" and step:
                self.contested.append((frozenset({step.id}), _CONTESTED["id_not_available"], command))
            if recorded.code == _STRICT:
                scope = (command.tenant, command.organization)
                self.doubtful.setdefault(scope, {**position_of(record), **named(command)})
            elif recorded.code in _CONTESTED and command.kind in ("interaction.undo", "signal.record"):
                ids = {change.row.id for change in expected.changes} | {expected.interaction}
                self.contested.append((frozenset(filter(None, ids)), _CONTESTED[recorded.code], command))
            return True
        if (record.partition, record.offset) in self._inputs.dead_letters:
            self._inputs.report.note("Postgres refused some commands; each has its dead letter")
            return True
        return False
