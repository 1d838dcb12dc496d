"""Coarse forms shared by providers: the part of a value that a less expressive field can hold."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

#: Control characters that text protocols do not carry safely (all but tab and line ends), and lone
#: surrogates, which JSON can contain and UTF-8 cannot.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def one_line(text: str | None) -> str | None:
    """Collapse a text to one stripped line; ``None`` if nothing is left."""
    return " ".join(_CONTROLS.sub("", text or "").split()) or None


def plain(text: str | None) -> str | None:
    """Normalize line ends to ``\\n`` and strip the text; ``None`` if nothing is left."""
    clean = _CONTROLS.sub("", (text or "").replace("\r\n", "\n").replace("\r", "\n"))
    return clean.strip() or None


def to_milliseconds(instant: datetime | None) -> datetime | None:
    """Truncate an instant to milliseconds."""
    return instant and instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def to_seconds(instant: datetime | None) -> datetime | None:
    """Truncate an instant to seconds."""
    return instant and instant.replace(microsecond=0)
