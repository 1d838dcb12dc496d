"""Coarse forms that several providers share: what is left of a value in a poorer field."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

#: Control characters that no protocol of text carries safely; tab and line ends are not among them.
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def one_line(text: str | None) -> str | None:
    """A text as one line without white space around it; ``None`` when nothing is left."""
    return " ".join(_CONTROLS.sub("", text or "").split()) or None


def plain(text: str | None) -> str | None:
    """A text with plain line ends and without white space around it; ``None`` when nothing is left."""
    clean = _CONTROLS.sub("", (text or "").replace("\r\n", "\n").replace("\r", "\n"))
    return clean.strip() or None


def to_milliseconds(instant: datetime | None) -> datetime | None:
    """An instant without what is below a millisecond."""
    return instant and instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def to_seconds(instant: datetime | None) -> datetime | None:
    """An instant without what is below a second."""
    return instant and instant.replace(microsecond=0)
