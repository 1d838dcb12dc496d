"""Keyset pagination: where a page begins, and its order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class After:
    """The last row of the page before: its value of the sort field, and its id."""

    key: Any
    id: str


def order_sql(column: str, identity: str, direction: Direction) -> str:
    """The matching ORDER BY."""
    way = "ASC" if direction == "asc" else "DESC"
    return f"{column} {way}, {identity} {way}"
