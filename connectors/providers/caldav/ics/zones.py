"""Time zones of one calendar object: its own VTIMEZONE first, then known names.

Hazard: never cache a zone across objects. Two objects may define one TZID differently (RFC 5545 section
3.2.19), and may belong to different tenants.
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
            if any(line.name == "TZID" and line.value.strip() == identity for _, line in own_lines(part)):
                try:
                    return ObjectZone(part)
                except (ValueError, OverflowError):
                    continue
        return None


def named_zone(identity: str) -> ZoneInfo | None:
    """Look up an IANA or Windows zone, also after a vendor prefix (``/vendor.example/…``)."""
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
