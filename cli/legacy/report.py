"""Report of an import: one fate per row, and counts of what was repaired. Ids and counts only, never text."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

#: Reasons in ``skipped`` that an operator must look at.
FAILED: Final = frozenset({"rejected", "not_sent", "unknown_outcome"})


@dataclass(slots=True)
class TableReport:
    """Counts that add up: ``read`` = ``written`` + ``unchanged`` + every reason of ``skipped`` + ``broken``.

    :param there: the source has the table.
    :param written: added or changed; in a dry run, what would be.
    :param withdrawn: rows of an earlier import that were removed, because they are deleted or private at the
        source by now; ``moved``: those of them that are interactions here, and stay.
    :param broken: rows that are not imported because of their form; each is in the list of faults.
    :param notes: counts of repairs, statuses (``status:…``) and values without a place here (``dropped:…``).
    :param ignored: columns that are there and not read.
    """

    there: bool = False
    read: int = 0
    written: int = 0
    unchanged: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    withdrawn: int = 0
    moved: int = 0
    broken: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    ignored: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON form, with stable camelCase names."""
        return {
            "there": self.there,
            "read": self.read,
            "written": self.written,
            "unchanged": self.unchanged,
            "skipped": dict(sorted(self.skipped.items())),
            "withdrawn": self.withdrawn,
            "withdrawnAfterMove": self.moved,
            "broken": self.broken,
            "repaired": self.named(""),
            "statuses": self.named("status:"),
            "dropped": self.named("dropped:"),
            "ignoredColumns": list(self.ignored),
        }

    def named(self, prefix: str) -> dict[str, int]:
        """The notes of one kind; without a prefix, the repairs."""
        return {
            name.removeprefix(prefix): count
            for name, count in sorted(self.notes.items())
            if (name.startswith(prefix) if prefix else ":" not in name)
        }


@dataclass(frozen=True, slots=True)
class Fault:
    """A row that was not imported: where it is, and why."""

    place: str
    reason: str

    @property
    def order(self) -> tuple[str, int]:
        """Sort key: file, then line."""
        file, _, line = self.place.rpartition(":")
        return (file, int(line)) if line.isdecimal() else (self.place, 0)


@dataclass(slots=True)
class ImportReport:
    """Outcome of one run.

    :param failure: message of the error that ended the run early.
    :param unavailable: a server was unavailable; repeating the import later completes it.
    """

    source: str
    dry_run: bool
    max_shown: int = 20
    tables: dict[str, TableReport] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    ignored_files: tuple[str, ...] = ()
    interrupted: bool = False
    failure: str | None = None
    unavailable: bool = False
    seconds: float = 0.0

    def add_fault(self, place: str, reason: str) -> None:
        """List a fault, unless the list is full."""
        if len(self.faults) < self.max_shown:
            self.faults.append(Fault(place, reason))

    @property
    def failed_rows(self) -> int:
        """Rows that an operator must look at."""
        return sum(
            table.broken + sum(table.skipped[reason] for reason in FAILED) for table in self.tables.values()
        )

    def exit_code(self) -> int:
        """130 when interrupted, 75 when a server was unavailable, 1 when a row failed, otherwise 0."""
        if self.interrupted:
            return 130
        if self.unavailable:
            return 75
        return 1 if self.failed_rows or self.failure else 0

    def to_json(self) -> dict[str, Any]:
        """JSON form, with stable camelCase names."""
        return {
            "source": self.source,
            "dryRun": self.dry_run,
            "tables": {name: table.to_json() for name, table in self.tables.items()},
            "failedRows": self.failed_rows,
            "faults": [
                {"place": fault.place, "reason": fault.reason}
                for fault in sorted(self.faults, key=lambda fault: fault.order)
            ],
            "ignoredFiles": list(self.ignored_files),
            "interrupted": self.interrupted,
            "failure": self.failure,
            "seconds": round(self.seconds, 3),
        }
