"""Time zones of one calendar object: its own VTIMEZONE first, then known names.

Hazard: never cache a zone across objects. Two objects may define one TZID differently (RFC 5545 section
3.2.19), and may belong to different tenants.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta, timezone, tzinfo
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from icalendar.parser import unescape_backslash
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from connectors.providers.caldav.ics.content_lines import ContentLine, components, own_lines
from connectors.providers.caldav.ics.vtimezone import ObjectZone

#: A constant offset as a name: ``UTC+1``, ``GMT-05:30``.
_FIXED: Final = re.compile(r"(?:UTC|GMT)([+-])(0?\d|1\d)(?::?([0-5]\d))?", re.ASCII | re.IGNORECASE)
_UTC: Final = frozenset({"z", "tzone://microsoft/utc"})
#: Files of the zone database that are no zone, or another one on each machine.
_OF_THIS_MACHINE: Final = frozenset({"localtime", "posixrules", "Factory"})


class Zones:
    """TZID lookup for one calendar object."""

    def __init__(self, lines: Sequence[ContentLine], otherwise: ZoneInfo) -> None:
        """Find the object's own zones; a zone that cannot be evaluated counts as absent.

        :param otherwise: zone for times with no zone or an unknown one.
        """
        self._otherwise = otherwise
        self._parts = [lines[place] for place in components(lines, "VTIMEZONE")]
        self._own: dict[str, tzinfo] = {}

    def named(self, identity: str | None) -> tzinfo:
        """Resolve a TZID."""
        if identity is None:
            return self._otherwise
        if identity not in self._own:
            self._own[identity] = self._defined(identity) or named_zone(identity) or self._otherwise
        return self._own[identity]

    def _defined(self, identity: str) -> tzinfo | None:
        for part in self._parts:
            names = (line.value for _, line in own_lines(part) if line.name == "TZID")
            if any(_plain(name) == _plain(identity) for name in names):
                try:
                    return ObjectZone(part)
                except (ValueError, OverflowError):
                    continue
        return None


def _plain(name: str) -> str:
    """A TZID without the quotes of a parameter and the escapes of a text, which only one spelling has."""
    return str(unescape_backslash(name.strip().strip('"'))).strip().casefold()


def named_zone(identity: str) -> tzinfo | None:
    """Look up an IANA or Windows zone, also after a vendor prefix (``/vendor.example/…``), or an offset."""
    fixed = _FIXED.fullmatch(identity.strip())
    if fixed is not None:
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3] or 0))
        # Hazard: ``UTC`` itself stands for a time that ends in Z.
        return timezone(-offset if fixed[1] == "-" else offset) if offset else ZoneInfo("UTC")
    if identity.strip().casefold() in _UTC:
        return ZoneInfo("UTC")
    parts = identity.strip().strip("/").casefold().split("/")
    for start in range(len(parts) if identity.lstrip().startswith("/") else 1):
        known = _known_names().get("/".join(parts[start:]))
        if known is not None:
            return ZoneInfo(known)
    return None


@cache
def _known_names() -> dict[str, str]:
    windows = {name.casefold(): zone for name, zone in WINDOWS_TO_OLSON.items()}
    return windows | {name.casefold(): name for name in available_timezones() - _OF_THIS_MACHINE}
