"""Time zones of one calendar object: its own VTIMEZONE first, then known names.

Hazard: nothing that an object defines is kept for another one. Two objects may give one TZID two meanings
(RFC 5545 section 3.2.19), and they may belong to two tenants.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

from connectors.providers.caldav.ics.content_lines import ContentLine, components, own_lines
from connectors.providers.caldav.ics.vtimezone import ObjectZone


class Zones:
    """The meaning of TZID in one calendar object."""

    def __init__(self, lines: Sequence[ContentLine], otherwise: ZoneInfo) -> None:
        """Find the object's own zones; one that cannot be evaluated counts as absent.

        :param otherwise: the zone of times that name none, or an unknown one.
        """
        self._otherwise = otherwise
        self._parts = [lines[place] for place in components(lines, "VTIMEZONE")]
        self._own: dict[str, tzinfo] = {}

    def named(self, identity: str | None) -> tzinfo:
        """The zone of a TZID."""
        if identity is None:
            return self._otherwise
        if identity not in self._own:
            self._own[identity] = self._defined(identity) or named_zone(identity) or self._otherwise
        return self._own[identity]

    def _defined(self, identity: str) -> tzinfo | None:
        for part in self._parts:
            if any(line.name == "TZID" and line.value.strip() == identity for _, line in own_lines(part)):
                try:
                    return ObjectZone(part)
                except (ValueError, OverflowError):
                    continue
        return None


def named_zone(identity: str) -> ZoneInfo | None:
    """An IANA or Windows zone, also behind a vendor's prefix (``/freeassociation.sourceforge.net/…``)."""
    parts = identity.strip().strip("/").casefold().split("/")
    for start in range(len(parts) if identity.lstrip().startswith("/") else 1):
        known = _known_names().get("/".join(parts[start:]))
        if known is not None:
            return ZoneInfo(known)
    return None


@cache
def _known_names() -> dict[str, str]:
    windows = {name.casefold(): zone for name, zone in WINDOWS_TO_OLSON.items()}
    return windows | {name.casefold(): name for name in available_timezones()}
