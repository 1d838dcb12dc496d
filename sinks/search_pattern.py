"""ILIKE pattern of a search text."""

from __future__ import annotations


def like(text: str) -> str:
    """An ILIKE pattern that matches the text anywhere, with its wildcards escaped."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
