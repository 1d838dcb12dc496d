"""Coarse forms that several providers share: what is left of a value in a poorer field."""

from __future__ import annotations

from datetime import datetime


def one_line(text: str | None) -> str | None:
    """A text as one line without white space around it; ``None`` when nothing is left."""
    return " ".join((text or "").split()) or None


def plain(text: str | None) -> str | None:
    """A text without white space around it and with plain line ends; ``None`` when nothing is left."""
    return (text or "").replace("\r\n", "\n").replace("\r", "\n").strip() or None


def to_milliseconds(instant: datetime | None) -> datetime | None:
    """An instant without what is below a millisecond."""
    return instant and instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def to_seconds(instant: datetime | None) -> datetime | None:
    """An instant without what is below a second."""
    return instant and instant.replace(microsecond=0)
