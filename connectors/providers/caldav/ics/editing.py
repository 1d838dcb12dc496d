"""Edit properties of a to-do; every other line stays byte for byte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from connectors.providers.caldav.ics.content_lines import (
    ContentLine,
    components,
    content_lines,
    folded,
    own_lines,
)
from connectors.providers.caldav.ics.date_times import utc

#: The largest INTEGER (RFC 5545 section 3.3.8).
_LAST_SEQUENCE: Final = 2**31 - 1


def edited(data: bytes, properties: Mapping[str, str | None], now: datetime) -> bytes:
    """Set properties of the to-do (name → content line), or remove them (``None``).

    Also updates SEQUENCE, DTSTAMP and LAST-MODIFIED (RFC 5545 section 3.8.7). Returns ``data`` unchanged if
    nothing differs.
    """
    changed = with_properties(data, properties)
    if changed == data:
        return data
    stamps = {
        "SEQUENCE": f"SEQUENCE:{_next_sequence(content_lines(data))}",
        "DTSTAMP": f"DTSTAMP:{utc(now)}",
        "LAST-MODIFIED": f"LAST-MODIFIED:{utc(now)}",
    }
    return b"".join(line.sendable for line in content_lines(with_properties(changed, stamps)))


def with_properties(data: bytes, properties: Mapping[str, str | None]) -> bytes:
    """Set or remove properties of the to-do, without updating SEQUENCE and the timestamps.

    A property keeps its position; a new one goes before the first alarm (RFC 5545 section 3.6.2). Of repeated
    properties one is left.
    """
    lines = content_lines(data)
    place = next(components(lines, "VTODO"))
    todo = list(lines[place])
    end = "\r\n" if lines[place.start - 1].octets.endswith(b"\r\n") else "\n"
    alarms = next((number for number, line in enumerate(todo) if line.name == "BEGIN"), len(todo))
    waiting = {name: line for name, line in properties.items() if line is not None}
    changed: dict[int, list[ContentLine]] = {}
    for number, line in own_lines(todo):
        if line.name not in properties:
            continue
        new = waiting.get(line.name)
        if new == line.text:
            waiting.pop(line.name)
        elif new is not None and number < alarms:
            changed[number] = [ContentLine(folded(waiting.pop(line.name), end))]
        else:
            changed[number] = []
    added = [ContentLine(folded(line, end)) for line in waiting.values()]
    kept = [changed.get(number, [line]) for number, line in enumerate(todo)]
    kept.insert(alarms, added)
    changed_lines = [*lines[: place.start], *(line for group in kept for line in group), *lines[place.stop :]]
    return b"".join(line.octets for line in changed_lines)


def _next_sequence(lines: Sequence[ContentLine]) -> int:
    """SEQUENCE of the next revision; an object without one is revision 0."""
    todo = lines[next(components(lines, "VTODO"))]
    found = next((line.value.strip() for _, line in own_lines(todo) if line.name == "SEQUENCE"), "")
    number = int(found) if found.isascii() and found.isdigit() and len(found) <= 10 else 0
    return min(number + 1, _LAST_SEQUENCE)
