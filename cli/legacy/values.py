"""Values of one source row, read by stated rules; each repair is counted.

- An id that the row cannot do without must be a UUID; a row without one is not imported.
- Any other reference that is not a UUID is dropped.
- A point in time is ISO 8601, in UTC if it has no offset. Any other text, infinity, and years outside 1–9999
  count as no value.
- White space around ids, times, numbers and flags is ignored. Texts stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from schemas.values import UUID_PATTERN

_UUID: Final = re.compile(UUID_PATTERN)
_ISO: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)? ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2}(?::[0-9]{2})?)?)?)?"
)
_TRUE: Final = frozenset({"t", "true", "1", "yes", "y", "on"})
_FALSE: Final = frozenset({"f", "false", "0", "no", "n", "off"})
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,10}")
_INTEGERS: Final = range(-(2**31), 2**31)
#: Time of creation of a row that has no time at all.
EPOCH: Final = "1970-01-01T00:00:00+00:00"


class BrokenId(ValueError):
    """The row has no id, or one that is not a UUID. The message names the column."""


class Values:
    """Typed access to the values of one row, with the notes of what was repaired.

    :param notes: names of the repairs of this row; added to.
    """

    def __init__(self, row: Mapping[str, str | None], notes: list[str]) -> None:
        self._row = row
        self._notes = notes

    def identity(self, column: str) -> str:
        """An id that the row needs.

        :raises BrokenId: there is none.
        """
        text = (self._row.get(column) or "").strip()
        if not text:
            raise BrokenId(f"{column} is missing")
        if not _UUID.fullmatch(text):
            raise BrokenId(f"{column} is not a UUID")
        return text.lower()

    def reference(self, column: str) -> str | None:
        """An id that the row can do without."""
        text = (self._row.get(column) or "").strip()
        if not text:
            return None
        if not _UUID.fullmatch(text):
            self._notes.append(f"{column}_broken")
            return None
        return text.lower()

    def text(self, column: str) -> str | None:
        """A text, unchanged."""
        return self._row.get(column)

    def instant(self, column: str) -> str | None:
        """A point in time, in the form that Postgres reads."""
        text = self._row.get(column)
        if text is None or not (text := text.strip()):
            return None
        found = read_instant(text)
        if found is None:
            self._notes.append(f"{column}_unreadable")
        return found

    def created_and_updated(self, *others: str) -> tuple[str, str]:
        """Times of creation and of the last change; a missing one is the first that is known.

        :param others: further columns to take it from.
        """
        created, updated = self.instant("created_at"), self.instant("updated_at")
        known = created or updated or next(filter(None, map(self._known_instant, others)), None)
        if created is None:
            self._notes.append("created_at_defaulted")
        return created or known or EPOCH, updated or known or EPOCH

    def _known_instant(self, column: str) -> str | None:
        return read_instant((self._row.get(column) or "").strip())

    def flag(self, column: str) -> str | None:
        """``true`` or ``false``."""
        text = (self._row.get(column) or "").strip().lower()
        if text in _TRUE or text in _FALSE:
            return "true" if text in _TRUE else "false"
        if not text:
            return None
        self._notes.append(f"{column}_unreadable")
        return None

    def integer(self, column: str) -> str | None:
        """An integer of 32 bits."""
        text = (self._row.get(column) or "").strip()
        if not text:
            return None
        if not _NUMBER.fullmatch(text) or int(text) not in _INTEGERS:
            self._notes.append(f"{column}_unreadable")
            return None
        return str(int(text))


def read_instant(text: str) -> str | None:
    """Read a point in time; ``None`` if it is not one."""
    if not _ISO.fullmatch(text):
        return None
    try:
        instant = datetime.fromisoformat(text[:11] + text[11:].replace(" ", ""))
        aware = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return aware.isoformat()
