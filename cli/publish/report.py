"""Report of a publishing run: one count per outcome, and the first failures in detail."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Final

from cli.publish.input_lines import Unsendable

OUTCOMES: Final = ("applied", "no_op", "duplicate", "rejected")


@dataclass(frozen=True, slots=True)
class Rejection:
    """A rejected command: line number and problem (RFC 9457), never the content."""

    line: int
    command_id: str | None
    problem: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """JSON form."""
        return {"line": self.line, "commandId": self.command_id, **self.problem}


@dataclass(slots=True)
class Report:
    """Counts that add up: ``lines`` = every outcome + ``accepted`` + ``not_sent`` + ``unknown``.

    :param lines: non-empty lines.
    :param accepted: acknowledged by the broker, in a run that does not wait for outcomes.
    :param unknown: sent and possibly applied, but without a result in time.
    :param input_read: the input was read to its end; otherwise its last lines are not counted.
    :param failure: message of the error that ended the run early.
    """

    max_shown: int = 10
    lines: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    accepted: int = 0
    not_sent: int = 0
    unknown: int = 0
    interrupted: bool = False
    input_read: bool = True
    failure: str | None = None
    seconds: float = 0.0
    rejections: list[Rejection] = field(default_factory=list)
    unsendable: list[Unsendable] = field(default_factory=list)
    unknown_lines: list[int] = field(default_factory=list)

    @property
    def completed(self) -> int:
        """Lines that are accounted for."""
        return self.outcomes.total() + self.accepted + self.not_sent + self.unknown

    def add_unsendable(self, fault: Unsendable) -> None:
        """Count a line that was not sent."""
        self.not_sent += 1
        if len(self.unsendable) < self.max_shown:
            self.unsendable.append(fault)

    def add_unknown(self, number: int) -> None:
        """Count a line without a result."""
        self.unknown += 1
        if len(self.unknown_lines) < self.max_shown:
            self.unknown_lines.append(number)

    def wants_rejection(self) -> bool:
        """True while another rejection fits into the details."""
        return len(self.rejections) < self.max_shown

    def plus(self, later: Report) -> Report:
        """The sum of two runs."""
        return Report(
            max_shown=max(self.max_shown, later.max_shown),
            lines=self.lines + later.lines,
            outcomes=self.outcomes + later.outcomes,
            accepted=self.accepted + later.accepted,
            not_sent=self.not_sent + later.not_sent,
            unknown=self.unknown + later.unknown,
            interrupted=self.interrupted or later.interrupted,
            input_read=self.input_read and later.input_read,
            failure=self.failure or later.failure,
            seconds=self.seconds + later.seconds,
            rejections=self.rejections + later.rejections,
            unsendable=self.unsendable + later.unsendable,
            unknown_lines=self.unknown_lines + later.unknown_lines,
        )

    def shortened(self, shown: int) -> Report:
        """The same counts with fewer failures in detail, ordered by line."""
        return replace(
            self,
            max_shown=shown,
            rejections=sorted(self.rejections, key=lambda rejection: rejection.line)[:shown],
            unsendable=self.unsendable[:shown],
            unknown_lines=self.unknown_lines[:shown],
        )

    def exit_code(self, allow_rejected: bool) -> int:
        """130 when interrupted, 1 when a line failed, otherwise 0.

        :param allow_rejected: rejections do not count as failures.
        """
        if self.interrupted:
            return 130
        if self.not_sent or self.unknown or self.failure or not self.input_read:
            return 1
        return 1 if self.outcomes["rejected"] and not allow_rejected else 0

    def to_json(self) -> dict[str, Any]:
        """JSON form, with stable camelCase names."""
        return {
            "lines": self.lines,
            "outcomes": {name: self.outcomes[name] for name in OUTCOMES},
            "accepted": self.accepted,
            "notSent": self.not_sent,
            "unknown": self.unknown,
            "interrupted": self.interrupted,
            "inputRead": self.input_read,
            "failure": self.failure,
            "seconds": round(self.seconds, 3),
            "rejections": [rejection.to_json() for rejection in self.rejections],
            "notSentLines": [
                {"line": fault.number, "code": fault.code, "detail": fault.detail}
                for fault in self.unsendable
            ],
            "unknownLines": self.unknown_lines,
        }
