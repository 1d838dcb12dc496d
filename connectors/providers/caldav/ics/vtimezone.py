"""A VTIMEZONE (RFC 5545 section 3.6.5) as ``tzinfo``, evaluated in bounded time."""

from __future__ import annotations

import re
from calendar import monthrange, weekday
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone, tzinfo
from typing import Final

from connectors.providers.caldav.ics.content_lines import ContentLine, components, own_lines

_LOCAL: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)Z?)?", re.ASCII)
_DAY: Final = re.compile(r"([+-]?\d{0,2})(MO|TU|WE|TH|FR|SA|SU)", re.ASCII)
_DAYS: Final = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
#: The only kind of rule supported; clocks change by no other.
_YEARLY: Final = {"FREQ": "YEARLY", "INTERVAL": "1"}
_ZERO: Final = timedelta()
#: UTC-OFFSET (RFC 5545 section 3.3.14); clients also leave out the plus, or write a colon.
_OFFSET: Final = re.compile(r"([+-]?)(\d\d):?(\d\d)(?::?(\d\d))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Rule:
    """A yearly RRULE; missing parts come from the first onset."""

    months: list[int]
    month_days: set[int]
    weekdays: set[tuple[int, int]]
    until: datetime | None

    def days(self, year: int) -> Iterator[date]:
        """Days of a year on which the clocks change, in order."""
        for month in self.months:
            length = monthrange(year, month)[1]
            for day in range(1, length + 1):
                nth = (0, (day - 1) // 7 + 1, -((length - day) // 7 + 1))
                today = weekday(year, month, day)
                if self.month_days and not {day, day - length - 1} & self.month_days:
                    continue
                if self.weekdays and not any((number, today) in self.weekdays for number in nth):
                    continue
                yield date(year, month, day)


@dataclass(frozen=True, slots=True)
class _Observance:
    """STANDARD or DAYLIGHT: local time has another offset from each onset on."""

    first: datetime
    before: timedelta
    after: timedelta
    rule: _Rule | None
    more: tuple[datetime, ...]

    @property
    def skipped(self) -> timedelta:
        """Length of the local time that the clock skips; that time counts as before the onset."""
        return max(self.after - self.before, _ZERO)

    def latest_onset(self, wall: datetime) -> datetime | None:
        """The last onset up to ``wall``, which is local time before the onset."""
        onsets = [each for each in (self.first, *self.more) if each <= wall]
        if self.rule is not None:
            last = min(wall, self.rule.until or wall)
            for year in (last.year - 1, last.year):
                found = (datetime.combine(day, self.first.time()) for day in self.rule.days(year))
                onsets += [each for each in found if self.first <= each <= last]
        return max(onsets, default=None)


class ObjectZone(tzinfo):
    """Time zone defined by a VTIMEZONE."""

    def __init__(self, lines: Sequence[ContentLine]) -> None:
        """Parse the lines between BEGIN:VTIMEZONE and END:VTIMEZONE.

        :raises ValueError: the zone cannot be evaluated.
        """
        self._observances = [_observance(lines[place]) for place in components(lines, "STANDARD", "DAYLIGHT")]
        if not self._observances:
            raise ValueError("a VTIMEZONE without observances")

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        if moment is None:
            return None
        wall = moment.replace(tzinfo=None)
        return self._offset([(each, wall - each.skipped) for each in self._observances])

    def fromutc(self, moment: datetime) -> datetime:
        instant = moment.replace(tzinfo=None)
        return moment + self._offset([(each, instant + each.before) for each in self._observances])

    def _offset(self, walls: list[tuple[_Observance, datetime]]) -> timedelta:
        """Offset since the latest onset; before the first one, the offset that it changes from."""
        onsets = ((each.latest_onset(wall), each.after) for each, wall in walls)
        passed = [(onset, offset) for onset, offset in onsets if onset is not None]
        if passed:
            return max(passed)[1]
        return min(self._observances, key=lambda each: each.first).before

    def dst(self, _moment: datetime | None) -> timedelta | None:
        return None

    def tzname(self, _moment: datetime | None) -> str | None:
        return None


def _observance(lines: Sequence[ContentLine]) -> _Observance:
    found: dict[str, str] = {}
    more: list[datetime] = []
    for _, line in own_lines(lines):
        value = line.value.strip().upper()
        if line.name == "RDATE":
            more += [_local(each.partition("/")[0]) for each in value.split(",")]
        else:
            found.setdefault(line.name, value)
    if not {"DTSTART", "TZOFFSETFROM", "TZOFFSETTO"} <= found.keys():
        raise ValueError("an observance without its onset or offsets")
    first, before = _local(found["DTSTART"]), _offset(found["TZOFFSETFROM"])
    rule = _rule(found["RRULE"], first, before) if "RRULE" in found else None
    return _Observance(first, before, _offset(found["TZOFFSETTO"]), rule, tuple(more))


def _offset(value: str) -> timedelta:
    found = _OFFSET.fullmatch(value)
    if found is None:
        raise ValueError("not an offset from UTC")
    hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
    offset = timedelta(hours=hours, minutes=minutes, seconds=seconds) * (-1 if found[1] == "-" else 1)
    timezone(offset)  # raises ValueError for a day or more
    return offset


def _local(value: str) -> datetime:
    found = _LOCAL.fullmatch(value)
    if found is None:
        raise ValueError("not a date-time")
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - local time


def _rule(value: str, first: datetime, before: timedelta) -> _Rule:
    """Parse a yearly rule.

    Hazard: clocks change by no other rule, and a more frequent one could take unbounded time to evaluate.
    """
    parts = dict(part.partition("=")[::2] for part in value.split(";") if part)
    for name, only in _YEARLY.items():
        if parts.pop(name, "1" if name == "INTERVAL" else "") != only:
            raise ValueError("not a yearly rule")
    until = None
    if "UNTIL" in parts:
        until = _local(parts["UNTIL"]) + (before if parts.pop("UNTIL").endswith("Z") else _ZERO)
    months = sorted({int(each) for each in parts.pop("BYMONTH", str(first.month)).split(",")})
    month_days = {int(each) for each in parts.pop("BYMONTHDAY", "").split(",") if each}
    weekdays = set()
    for each in filter(None, parts.pop("BYDAY", "").split(",")):
        day = _DAY.fullmatch(each)
        if day is None:
            raise ValueError("not a weekday")
        weekdays.add((int(day[1] or 0), _DAYS.index(day[2])))
    parts.pop("WKST", None)
    if parts or not all(1 <= month <= 12 for month in months):
        raise ValueError("not a rule by month and day")
    if not month_days and not weekdays:
        month_days = {first.day}
    return _Rule(months, month_days, weekdays, until)
