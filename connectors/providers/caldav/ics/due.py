"""Due date of a to-do: DUE, or DTSTART and DURATION (RFC 5545 section 3.6.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from icalendar.prop import vDuration

from connectors.providers.caldav.ics.content_lines import ContentLine
from connectors.providers.caldav.ics.date_times import Calendar, Moment
from schemas.instants import parse_instant

_ZERO: Final = timedelta()
#: Upper bound of any duration between two instants of a calendar.
_LONGEST: Final = timedelta(days=300 * 366)


@dataclass(frozen=True, slots=True)
class Duration:
    """A duration: nominal days, plus exact time (RFC 5545 section 3.3.6)."""

    days: timedelta
    exact: timedelta

    @classmethod
    def of(cls, value: str) -> Duration:
        """Parse a DURATION.

        :raises ValueError: it is not one, or longer than 300 years.
        """
        head, _, tail = value.strip().upper().partition("T")
        sign = "-" if head.startswith("-") else ""
        days, exact = (
            vDuration.from_ical(part)  # type: ignore[no-untyped-call]
            for part in (head, f"{sign}PT{tail}")
        )
        if max(abs(days), abs(exact)) > _LONGEST:
            raise ValueError("too long")
        return cls(days, exact)


@dataclass(frozen=True, slots=True)
class Schedule:
    """Properties of one to-do that define its due date; ``None`` for absent or unreadable ones.

    :param stated: the to-do has such properties, readable or not.
    """

    calendar: Calendar
    stated: bool
    due: Moment | None
    start: Moment | None
    duration: Duration | None

    @classmethod
    def of(cls, properties: Mapping[str, ContentLine], calendar: Calendar) -> Schedule:
        """Parse the schedule from the properties of a to-do, keyed by name."""

        def moment(name: str) -> Moment | None:
            try:
                found = calendar.moment(properties[name])
                calendar.instant(found)
            except (KeyError, ValueError):
                return None
            return found

        def duration() -> Duration | None:
            try:
                return Duration.of(properties["DURATION"].value)
            except (KeyError, ValueError):
                return None

        stated = "DUE" in properties or {"DTSTART", "DURATION"} <= properties.keys()
        due, start = moment("DUE"), moment("DTSTART")
        return cls(calendar, stated, due, start, None if "DUE" in properties else duration())

    def instant(self) -> datetime | None:
        """The due instant in UTC; ``None`` if the to-do defines none.

        :raises ValueError: it is unreadable, or outside 1900–2199.
        """
        if self.due is not None:
            return self.calendar.instant(self.due)
        if self.start is not None and self.duration is not None:
            return parse_instant(self._end(self.start, self.duration))
        if self.stated:
            raise ValueError("the due date cannot be parsed")
        return None

    def moved_to(self, instant: datetime | None) -> dict[str, str | None]:
        """Properties that move the due date: name → content line, ``None`` to remove it.

        The start moves by the same amount, so that alarms keep their anchor. The form is kept: a date stays a
        date and a local time stays in its zone, if they can express the instant exactly.
        """
        if instant is None:
            return {"DUE": None, "DURATION": None}
        instant = instant.astimezone(UTC).replace(microsecond=0)
        if self.start is not None and self.duration is not None:
            start = self._start_for(self.start, self.duration, instant)
            if start is not None:
                return {"DUE": None, "DTSTART": _line("DTSTART", start)}
        due = self.calendar.written_like(self.due or self.start, instant)
        lines: dict[str, str | None] = {"DUE": _line("DUE", due), "DURATION": None}
        if self.start is not None:
            lines["DTSTART"] = _line("DTSTART", self._start_before(self.start, due, instant))
        return lines

    def _end(self, start: Moment, duration: Duration) -> datetime:
        by_calendar = self.calendar.instant(start.at(start.wall + duration.days))
        return by_calendar if start.zone is None else by_calendar + duration.exact

    def _start_for(self, start: Moment, duration: Duration, instant: datetime) -> Moment | None:
        """The start of a to-do of this duration; ``None`` if it would be outside 1900–2199."""
        exact = _ZERO if start.zone is None else duration.exact
        same_form = start.at(self.calendar.local(instant - exact, start) - duration.days)
        begun = Moment("", (instant - duration.days - duration.exact).replace(tzinfo=None), UTC)
        try:
            self.calendar.instant(begun)
            return same_form if self._end(same_form, duration) == instant else begun
        except ValueError:
            return None

    def _start_before(self, start: Moment, due: Moment, instant: datetime) -> Moment:
        """The start at the same distance from the new due date as from the old one, in the new one's form."""
        clock = self.due or due
        begun = self.calendar.local(self.calendar.instant(start), clock)
        new = self.calendar.local(instant, clock)
        if self.due is None:
            begun = min(begun, new)
        else:
            begun = new - max(self.calendar.local(self.calendar.instant(self.due), clock) - begun, _ZERO)
        if start.like(due):
            return start.at(begun)
        if clock.like(due):
            return due.at(begun)
        exact = begun.replace(tzinfo=clock.zone or self.calendar.days.zone).astimezone(UTC)
        return due.at(exact.replace(tzinfo=None))


def _line(name: str, moment: Moment) -> str:
    return f"{name}{moment.parameters}:{moment.written}"
