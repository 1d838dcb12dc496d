"""Keyset pagination: start and order of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class After:
    """The last row of the previous page: its sort value and its id."""

    key: Any
    id: str


def order_sql(column: str, identity: str, direction: Direction) -> str:
    """ORDER BY for keyset pages."""
    way = "ASC" if direction == "asc" else "DESC"
    return f"{column} {way}, {identity} {way}"
