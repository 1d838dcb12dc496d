"""One VTODO (RFC 5545): parse its values, and build the content lines that set them.

Each property is parsed on its own: an unreadable one does not hide others. Only mirrored ones are parsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from icalendar.parser import split_on_unescaped_comma, unescape_backslash

from connectors.providers.caldav.ics.content_lines import (
    ContentLine,
    components,
    content_lines,
    folded,
    has_more_lines,
    own_lines,
)
from connectors.providers.caldav.ics.date_times import Calendar, Days, utc
from connectors.providers.caldav.ics.due import Schedule
from connectors.sdk.coarse_forms import one_line, plain
from schemas.errors import Skip

MARKER: Final = "X-CUSTOMER-INTERACTION"
DELETED: Final = "X-CUSTOMER-INTERACTION-DELETED"
#: STATUS before the deletion, for an undo; ``NONE`` if it was absent.
STATUS_BEFORE: Final = "X-CUSTOMER-INTERACTION-STATUS"
UID_SUFFIX: Final = "@customer-interactions"
_STATUSES: Final = {"COMPLETED": "done", "CANCELLED": "canceled"}
_WRITTEN: Final = {"planned": "NEEDS-ACTION", "done": "COMPLETED", "canceled": "CANCELLED"}
_REPEATING: Final = frozenset({"RRULE", "RDATE", "EXRULE", "RECURRENCE-ID"})
_INTEGER: Final = re.compile(r"[+-]?\d+", re.ASCII)
_MAX_CATEGORIES: Final = 100
#: Content lines of one object; an inline attachment is one line, however it is folded.
_MOST_LINES: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """Values of a to-do.

    :param due: an :class:`AllDay` for a date without a time.
    :param priority: 1 (highest) to 9; ``None`` when undefined.
    :param marker: our marker, from the UID or, if a server has replaced it, from our property.
    :param deleted: our mark that the interaction was deleted.
    :param changed_at: LAST-MODIFIED or DTSTAMP, by the clock of the client that wrote it.
    :param unreadable: fields whose properties cannot be parsed.
    """

    title: str
    body: str
    status: str
    due: datetime | None
    completed: datetime | None
    priority: int | None
    marker: str | None
    deleted: bool
    changed_at: datetime | None
    unreadable: frozenset[str]
    extra: Mapping[str, Any] = field(default_factory=dict)


class TodoText:
    """The single to-do of a calendar object.

    The first of repeated properties counts.
    """

    def __init__(self, data: bytes, days: Days) -> None:
        """Find the to-do.

        :raises Skip: not a calendar object, no to-do, a recurring one, or an object that is too long; the
            message is the reason.
        """
        # Hazard: every line is parsed, so bound the work that one object can ask for.
        if has_more_lines(data, _MOST_LINES):
            raise Skip(f"more than {_MOST_LINES:,} lines")
        lines = content_lines(data)
        heads = [(line.name, line.component) for line in lines if line.name in {"BEGIN", "END"}]
        if not heads or heads[0] != ("BEGIN", "VCALENDAR") or ("END", "VCALENDAR") not in heads:
            raise Skip("not readable")
        places = list(components(lines, "VTODO"))
        if ("BEGIN", "VTODO") not in heads:
            raise Skip("no to-do")
        if heads.count(("BEGIN", "VTODO")) > 1:
            uids = {line.value.strip() for place in places for line in lines[place] if line.name == "UID"}
            raise Skip("recurring" if len(uids) == 1 else "more than one to-do")
        if not places:
            raise Skip("not readable")
        self._lines = lines[places[0]]
        self._properties: dict[str, ContentLine] = {}
        for _, line in own_lines(self._lines):
            self._properties.setdefault(line.name, line)
        if _REPEATING & self._properties.keys():
            raise Skip("recurring")
        self._calendar = Calendar.of(lines, days)
        self._schedule = Schedule.of(self._properties, self._calendar)

    def read(self) -> Todo:
        """Parse all values."""
        unreadable = set()
        due = completed = priority = None
        try:
            due = self._schedule.instant()
        except ValueError:
            unreadable.add("scheduled_at")
        try:
            completed = self._instant("COMPLETED")
        except ValueError:
            unreadable.add("occurred_at")
        try:
            priority = self._integer("PRIORITY")
        except ValueError:
            unreadable.add("priority")
        uid = self._text("UID").strip()
        marker = uid.removesuffix(UID_SUFFIX) if uid.endswith(UID_SUFFIX) else one_line(self._text(MARKER))
        return Todo(
            title=self._text("SUMMARY"),
            body=self._text("DESCRIPTION"),
            status=self._status(),
            due=due,
            completed=completed,
            priority=min(max(priority or 0, 0), 9) or None,
            marker=marker or None,
            deleted=DELETED in self._properties,
            changed_at=self._changed_at(),
            unreadable=frozenset(unreadable),
            extra={
                "percentComplete": self._percent(),
                "categories": self._categories(),
                **({"unreadable": sorted(unreadable)} if unreadable else {}),
            },
        )

    def setting(self, values: Mapping[str, Any]) -> dict[str, str | None]:
        """Properties that set these fields: name → content line, ``None`` to remove it."""
        lines: dict[str, str | None] = {}
        if "title" in values:
            lines["SUMMARY"] = _text_line("SUMMARY", one_line(values["title"]))
        if "body" in values:
            lines["DESCRIPTION"] = _text_line("DESCRIPTION", plain(values["body"]))
        if "scheduled_at" in values:
            lines |= self._schedule.moved_to(values["scheduled_at"])
        if "occurred_at" in values:
            moment = values["occurred_at"]
            lines["COMPLETED"] = None if moment is None else f"COMPLETED:{utc(moment)}"
        if "priority" in values:
            level = values["priority"]
            lines["PRIORITY"] = None if level is None else f"PRIORITY:{level}"
        if "status" in values:
            lines["STATUS"] = f"STATUS:{_WRITTEN[values['status']]}"
            if values["status"] == "done":
                lines["PERCENT-COMPLETE"] = "PERCENT-COMPLETE:100"
            elif self._percent() == 100:
                lines["PERCENT-COMPLETE"] = None
        return lines

    def deleting(self) -> dict[str, str | None]:
        """Properties that cancel the to-do because its interaction was deleted."""
        before = self._text("STATUS").strip() or "NONE"
        return {
            "STATUS": "STATUS:CANCELLED",
            DELETED: f"{DELETED}:TRUE",
            STATUS_BEFORE: f"{STATUS_BEFORE}:{before}",
        }

    def undeleting(self) -> dict[str, str | None]:
        """Properties that revert ``deleting``; a status changed by another client since then stays."""
        lines: dict[str, str | None] = {DELETED: None, STATUS_BEFORE: None}
        before = self._text(STATUS_BEFORE).strip()
        if before and DELETED in self._properties and self._status() == "canceled":
            lines["STATUS"] = None if before == "NONE" else f"STATUS:{before}"
        return lines

    def _status(self) -> str:
        """STATUS if present; COMPLETED and PERCENT-COMPLETE count only without it."""
        if "STATUS" in self._properties:
            return _STATUSES.get(self._text("STATUS").strip().upper(), "planned")
        return "done" if "COMPLETED" in self._properties or self._percent() == 100 else "planned"

    def _text(self, name: str) -> str:
        line = self._properties.get(name)
        return "" if line is None else unescape_backslash(line.value)

    def _integer(self, name: str) -> int | None:
        line = self._properties.get(name)
        if line is None:
            return None
        if _INTEGER.fullmatch(line.value.strip()) is None:
            raise ValueError("not an integer")
        return int(line.value)

    def _instant(self, name: str) -> datetime | None:
        line = self._properties.get(name)
        return None if line is None else self._calendar.instant(self._calendar.moment(line))

    def _percent(self) -> int | None:
        try:
            percent = self._integer("PERCENT-COMPLETE")
        except ValueError:
            return None
        return None if percent is None else min(max(percent, 0), 100)

    def _changed_at(self) -> datetime | None:
        for name in ("LAST-MODIFIED", "DTSTAMP"):
            try:
                found = self._instant(name)
            except ValueError:
                continue
            if found is not None:
                return found
        return None

    def _categories(self) -> list[str]:
        names = [
            one_line(name)
            for _, line in own_lines(self._lines)
            if line.name == "CATEGORIES"
            for name in split_on_unescaped_comma(line.value)
        ]
        return [name for name in names if name][:_MAX_CATEGORIES]


def new_todo(uid: str, marker: str, now: datetime) -> bytes:
    """Create a calendar object with an empty to-do that carries our marker."""
    stamp = utc(now)
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//customer-interactions//EN", "BEGIN:VTODO"]
    lines += [f"UID:{uid}", f"DTSTAMP:{stamp}", f"CREATED:{stamp}", f"LAST-MODIFIED:{stamp}", "SEQUENCE:0"]
    lines += [f"{MARKER}:{marker}", "END:VTODO", "END:VCALENDAR"]
    return b"".join(folded(line) for line in lines)


def _text_line(name: str, text: str | None) -> str | None:
    """Content line of a TEXT property (RFC 5545 section 3.3.11)."""
    if text is None:
        return None
    for written in ("\\", ";", ","):
        text = text.replace(written, f"\\{written}")
    return f"{name}:{text}".replace("\n", "\\n")
