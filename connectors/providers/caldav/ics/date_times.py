"""DATE and DATE-TIME values (RFC 5545 sections 3.3.4 and 3.3.5) that keep their written form."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from connectors.providers.caldav.ics.content_lines import ContentLine
from connectors.providers.caldav.ics.zones import Zones
from schemas.instants import parse_instant

_VALUE: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(?:T(\d\d)(\d\d)(\d\d)(Z?))?", re.ASCII)


class AllDay(datetime):
    """The instant that represents a date without a time.

    :ivar zone: time zone of the date.
    """

    zone: ZoneInfo

    def with_time_of(self, instant: datetime) -> datetime:
        """The same date at the local time of another instant."""
        local = instant.astimezone(self.zone)
        return datetime.combine(self.astimezone(self.zone).date(), local.time(), self.zone).astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Days:
    """Rules that turn a due date without a time or without a zone into an instant.

    :param zone: time zone for dates, and for times without a zone.
    :param at: time of day for dates.
    """

    zone: ZoneInfo
    at: time

    def instant(self, day: date) -> AllDay:
        """The instant of a date."""
        found = AllDay.combine(day, self.at, self.zone).astimezone(UTC)
        found.zone = self.zone
        return found


@dataclass(frozen=True, slots=True)
class Moment:
    """A DATE, or a DATE-TIME in UTC, in a named zone, or in none (floating).

    :param parameters: as written, each with its leading semicolon.
    :param wall: naive local time; the time of day is ignored for a DATE.
    :param zone: ``None`` for a DATE.
    """

    parameters: str
    wall: datetime
    zone: tzinfo | None

    @property
    def written(self) -> str:
        """The value as written."""
        if self.zone is None:
            return self.wall.strftime("%Y%m%d")
        return self.wall.strftime("%Y%m%dT%H%M%S") + ("Z" if self.zone is UTC else "")

    def like(self, other: Moment) -> bool:
        """Return whether both are DATEs, or DATE-TIMEs in the same zone."""
        return self.zone is other.zone and ("TZID" in self.parameters.upper()) == (
            "TZID" in other.parameters.upper()
        )

    def at(self, wall: datetime) -> Moment:
        """Another value in the same form."""
        return replace(self, wall=wall)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Context that turns the moments of one calendar object into instants."""

    days: Days
    zones: Zones

    @classmethod
    def of(cls, lines: Sequence[ContentLine], days: Days) -> Calendar:
        """The calendar of one object."""
        return cls(days, Zones(lines, days.zone))

    def moment(self, line: ContentLine) -> Moment:
        """Parse a DATE or DATE-TIME property. A time ending in Z is in UTC, whatever its TZID.

        :raises ValueError: the value is neither.
        """
        found = _VALUE.fullmatch(line.value.strip().upper())
        if found is None:
            raise ValueError("neither a date nor a date-time")
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        wall = datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 - local time
        kind, zone = (line.parameter("VALUE") or "").upper(), line.parameter("TZID")
        if found[4] is None:
            return Moment(line.parameters if kind == "DATE" else ";VALUE=DATE", wall, None)
        if found[7]:
            return Moment("" if zone is not None or kind == "DATE" else line.parameters, wall, UTC)
        named = line.parameters if kind != "DATE" else f';TZID="{zone}"' if zone is not None else ""
        return Moment(named, wall, self.zones.named(zone))

    def instant(self, moment: Moment) -> datetime:
        """The instant of a moment, in UTC.

        :raises ValueError: it is outside 1900–2199.
        """
        if moment.zone is not None:
            try:
                return parse_instant(moment.wall.replace(tzinfo=moment.zone).astimezone(UTC))
            except OverflowError:
                raise ValueError("must be between 1900-01-01 and 2199-12-31") from None
        if not 1900 <= moment.wall.year < 2200:
            raise ValueError("must be between 1900-01-01 and 2199-12-31")
        instant = self.days.instant(moment.wall.date())
        parse_instant(instant)
        return instant

    def local(self, instant: datetime, form: Moment) -> datetime:
        """The local time of an instant in the zone of ``form``."""
        return instant.astimezone(form.zone or self.days.zone).replace(tzinfo=None, fold=0)

    def written_like(self, form: Moment | None, instant: datetime) -> Moment:
        """Write an instant in the same form if that form can express it exactly, otherwise in UTC.

        A date expresses only the time of day configured for dates. The second of two equal hours when clocks
        go back can only be expressed in UTC (RFC 5545 section 3.3.5).
        """
        if form is not None:
            found = form.at(self.local(instant, form))
            with contextlib.suppress(ValueError):
                if self.instant(found) == instant:
                    return found
        return Moment("", instant.replace(tzinfo=None), UTC)


def utc(instant: datetime) -> str:
    """Format an instant as DATE-TIME in UTC."""
    return instant.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
