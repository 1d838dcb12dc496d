"""One VTODO (RFC 5545): what it says, and the same text with a few properties changed.

Reading goes through a calendar library, which knows time zones. Writing touches lines: what is not ours
to change stays byte for byte, whatever a library would think of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from icalendar import Calendar

from schemas.errors import Skip
from schemas.instants import parse_instant

MARKER: Final = "X-CUSTOMER-INTERACTION"
DELETED: Final = "X-CUSTOMER-INTERACTION-DELETED"
UID_SUFFIX: Final = "@customer-interactions"
_STATUSES: Final = {"COMPLETED": "done", "CANCELLED": "canceled"}
_REPEATING: Final = ("RRULE", "RDATE", "EXRULE", "RECURRENCE-ID")


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """What a to-do says.

    :param priority: 1 (highest) to 9, ``None`` when undefined.
    :param marker: ours, by the UID or, where a server has given another one, by our property.
    :param deleted: marked by us as one whose interaction was deleted.
    :param changed_at: LAST-MODIFIED or DTSTAMP, by the clock of the client that wrote it.
    """

    title: str
    body: str
    status: str
    due: datetime | None
    priority: int | None
    marker: str | None
    deleted: bool
    changed_at: datetime | None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Days:
    """How a due date without a time becomes an instant.

    :param zone: the time zone of dates and of times without one.
    :param at: the time of day of a date.
    """

    zone: ZoneInfo
    at: time

    def instant(self, moment: date | datetime) -> datetime:
        """The instant, in UTC."""
        if not isinstance(moment, datetime):
            moment = datetime.combine(moment, self.at)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        return moment.astimezone(UTC)


def read_todo(text: str, days: Days) -> Todo:
    """What the one to-do of a calendar object says.

    :raises Skip: there is none, or it repeats, or it cannot be read; the message is the reason.
    """
    try:
        todos = Calendar.from_ical(text).walk("VTODO")
        if not todos:
            raise Skip("no to-do")
        if len(todos) > 1 or any(name in todos[0] for name in _REPEATING):
            raise Skip("recurring")
        todo: Any = todos[0]
        due = todo.get("DUE")
        start, length = todo.get("DTSTART"), todo.get("DURATION")
        moment = due.dt if due is not None else start.dt + length.dt if start and length else None
        instant = None if moment is None else parse_instant(days.instant(moment))
        changed = todo.get("LAST-MODIFIED") or todo.get("DTSTAMP")
        uid = str(todo.get("UID", ""))
        return Todo(
            title=str(todo.get("SUMMARY", "")),
            body=str(todo.get("DESCRIPTION", "")),
            status=_status(todo),
            due=instant,
            priority=int(todo.get("PRIORITY", 0)) or None,
            marker=uid.removesuffix(UID_SUFFIX) if uid.endswith(UID_SUFFIX) else _text(todo.get(MARKER)),
            deleted=_text(todo.get(DELETED)) == "TRUE",
            changed_at=None if changed is None else days.instant(changed.dt),
            extra={"percentComplete": todo.get("PERCENT-COMPLETE"), "categories": _categories(todo)},
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, IndexError):
        raise Skip("not readable") from None


def _status(todo: Any) -> str:
    said = _text(todo.get("STATUS"))
    if said is not None:
        return _STATUSES.get(said.upper(), "planned")
    return "done" if "COMPLETED" in todo or int(todo.get("PERCENT-COMPLETE", 0)) == 100 else "planned"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _categories(todo: Any) -> list[str]:
    given = todo.get("CATEGORIES", [])
    groups = given if isinstance(given, list) else [given]
    return [str(name) for group in groups for name in getattr(group, "cats", [group])]


def new_todo(uid: str, now: datetime) -> str:
    """A calendar object with an empty to-do."""
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//customer-interactions//EN\r\nBEGIN:VTODO\r\n"
        f"UID:{uid}\r\nDTSTAMP:{utc(now)}\r\nCREATED:{utc(now)}\r\nEND:VTODO\r\nEND:VCALENDAR\r\n"
    )


def edited(text: str, properties: Mapping[str, str | None], now: datetime) -> str:
    """The text with properties of its to-do set (name → value in iCalendar form) or, if ``None``, removed.

    SEQUENCE, DTSTAMP and LAST-MODIFIED move along (RFC 5545 section 3.8.7).
    """
    lines = _logical(text)
    start, end = _range(lines)
    sequence = next((line for line in lines[start:end] if _name(line) == "SEQUENCE"), None)
    number = "".join(sequence).rpartition(":")[2].strip() if sequence else "-1"
    changes = {
        **properties,
        "SEQUENCE": str(int(number) + 1 if number.lstrip("-").isdigit() else 0),
        "DTSTAMP": utc(now),
        "LAST-MODIFIED": utc(now),
    }
    if changes.get("DUE") is not None:
        changes["DURATION"] = None  # RFC 5545 section 3.6.2: never both
        changes.update(_start_before(text, changes["DUE"] or ""))
    kept = [line for line in _outer(lines[start:end]) if _name(line[0]) not in changes or line[1]]
    added = [_folded(f"{name}:{value}") for name, value in changes.items() if value is not None]
    body = [part for line, _ in kept for part in line]
    return "".join(
        ["".join(line) for line in lines[:start]] + body + added + ["".join(x) for x in lines[end:]]
    )


def escaped(text: str | None) -> str | None:
    """A text as the value of a TEXT property (RFC 5545 section 3.3.11); ``None`` stays."""
    if text is None:
        return None
    for plain, written in (("\\", "\\\\"), (";", "\\;"), (",", "\\,"), ("\n", "\\n")):
        text = text.replace(plain, written)
    return text


def utc(instant: datetime) -> str:
    """An instant as DATE-TIME in UTC."""
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def _start_before(text: str, due: str) -> dict[str, str | None]:
    """DTSTART must lie before DUE and be of its type (RFC 5545 section 3.8.2.3); else it is dropped."""
    todo: Any = Calendar.from_ical(text).walk("VTODO")[0]
    start = todo.get("DTSTART")
    if start is None:
        return {}
    moment = start.dt
    if isinstance(moment, datetime):
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        if utc(aware) < due:
            return {}
    return {"DTSTART": None}


def _logical(text: str) -> list[list[str]]:
    """Content lines, each with the physical lines it is folded into."""
    lines: list[list[str]] = []
    for physical in text.replace("\r\n", "\n").split("\n"):
        if physical[:1] in {" ", "\t"} and lines:
            lines[-1].append(physical + "\r\n")
        elif physical:
            lines.append([physical + "\r\n"])
    return lines


def _range(lines: list[list[str]]) -> tuple[int, int]:
    heads = [line[0].strip().upper() for line in lines]
    return heads.index("BEGIN:VTODO") + 1, heads.index("END:VTODO")


def _outer(todo: list[list[str]]) -> list[tuple[list[str], bool]]:
    """The lines, each with whether it belongs to a component inside the to-do (an alarm)."""
    depth, found = 0, []
    for line in todo:
        head = line[0].upper()
        depth += head.startswith("BEGIN:")
        found.append((line, depth > 0))
        depth -= head.startswith("END:")
    return found


def _name(line: list[str]) -> str:
    return line[0].partition(":")[0].partition(";")[0].strip().upper()


def _folded(line: str) -> str:
    """A content line in pieces of at most 75 octets (RFC 5545 section 3.1), ended."""
    pieces, room = [""], 75
    for character in line:
        size = len(character.encode())
        if size > room:
            pieces.append("")
            room = 74
        pieces[-1] += character
        room -= size
    return "\r\n ".join(pieces) + "\r\n"
