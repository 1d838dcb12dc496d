"""Rows of ``todos.csv``."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from bench.legacy import rates, values
from bench.legacy.csv_file import CsvFile
from bench.legacy.population import Scope
from bench.legacy.tally import Tally

COLUMNS: Final = (
    "id", "tenant_id", "organization_id", "todo_source", "title", "description", "is_done", "due_at",
    "done_at", "priority", "severity", "created_at", "updated_at",
)  # fmt: skip
_YES: Final = ("t", "true", "1")
_NO: Final = ("f", "false", "0")
_PRIORITIES: Final = {
    "priority_number": ("0", "3", "40", "100"),
    "priority_word": ("low", "Normal", "high", "urgent"),
    "priority_out_of_range": ("-1", "250"),
    "priority_unreadable": ("P1", "as soon as possible"),
}
_SEVERITIES: Final = {
    "severity_word": ("low", "medium", "High", "critical"),
    "severity_number": ("10", "75"),
    "severity_unreadable": ("blocker", "S2"),
}
_TEXTS: Final = ("title_null", "title_too_long", "description_too_long")


class TodoRecords:
    """Todo records of all kinds of dirt, counted."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.tally = Tally()

    def add(self, file: CsvFile, scope: Scope, todo_id: str, source: str) -> bool:
        """Write a record; return whether it has nothing that a backfill reports."""
        random = self._random
        form = rates.ROW.draw(random)
        title = "" if form == "cp1252" else rates.TITLE.draw(random)
        description = "" if form == "nul" else rates.DESCRIPTION.draw(random)
        due, done = rates.DUE.draw(random), rates.DONE.draw(random)
        priority, severity = rates.PRIORITY.draw(random), rates.SEVERITY.draw(random)
        for kind in (form, title, description, due, done, priority, severity):
            self.tally.count(kind)
        if priority and severity:
            self.tally.count("priority_and_severity")
        if done == "is_done":
            self.tally.count("is_done_with_due" if not due else "is_done_without_due")
        moment = values.instant(random)
        updated = values.later(random, moment, 60)
        row: list[Any] = [
            todo_id.upper() if form == "upper_case_id" else todo_id,
            scope.tenant_id,
            scope.organization_id,
            source,
            values.title(random, title, form),
            values.body(random, description, form),
            values.pick(random, _YES) if done == "is_done" else "" if done else values.pick(random, _NO),
            values.bad_date(random, due) if due else values.later(random, moment, 30),
            updated if done == "is_done" and random.random() < 0.5 else "",
            values.pick(random, _PRIORITIES[priority]) if priority else "",
            values.pick(random, _SEVERITIES[severity]) if severity else "",
            moment,
            updated,
        ]
        file.add(row, encoding="cp1252" if form == "cp1252" else "utf-8")
        return not (
            form
            or priority
            or severity
            or title in _TEXTS
            or description in _TEXTS
            or due not in ("", "due_at_null")
            or done
        )

    def add_broken(self, file: CsvFile, scope: Scope, todo_id: str, source: str) -> None:
        """Write a record that cannot be imported."""
        kind = "no_id" if self._random.random() < 0.5 else "broken_id"
        self.tally.count(kind)
        identity = "" if kind == "no_id" else todo_id[:-1]
        row = [identity, scope.tenant_id, scope.organization_id, source, "Send the contract"]
        file.add([*row, *([""] * (len(COLUMNS) - len(row)))])
