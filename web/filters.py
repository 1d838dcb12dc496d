"""Filters in the address of a page. A malformed one does not filter: the page shows which are set."""

from __future__ import annotations

import re
from typing import Final

from schemas.values import UUID_PATTERN
from sinks.columns import LEAST_ID

_UUID: Final = re.compile(UUID_PATTERN)
_LONGEST: Final = 200


def uuid_filter(given: str | None) -> str | None:
    """An id, or ``None``."""
    return given.lower() if given and _UUID.fullmatch(given) else None


def owner_filter(given: str | None, viewer_id: str | None) -> str | None:
    """An owner, ``me`` for the viewer, or ``None``. A viewer without a user id owns nothing."""
    return (viewer_id or LEAST_ID) if given == "me" else uuid_filter(given)


def text_filter(given: str | None) -> str | None:
    """A search text or a code, without blanks around it and without NUL, which Postgres cannot store."""
    found = (given or "").replace("\x00", "").strip()[:_LONGEST]
    return found or None
