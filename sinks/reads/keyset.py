"""Keyset pagination: where a page begins, as a condition on the sort field and the id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Direction = Literal["asc", "desc"]


@dataclass(frozen=True, slots=True)
class After:
    """The last row of the page before: its value of the sort field, and its id."""

    key: Any
    id: str


def after_sql(column: str, identity: str, direction: Direction, after: After, *, nullable: bool) -> str:
    """The condition that holds for the rows behind ``after``; parameters ``after_key`` and ``after_id``.

    Empty values come last in ascending and first in descending order, as Postgres has them by default.

    :param column: our own expression, never a caller's text.
    """
    sign = ">" if direction == "asc" else "<"
    if after.key is None:
        behind = f"({column} IS NULL AND {identity} {sign} %(after_id)s)"
        return f"({behind} OR {column} IS NOT NULL)" if direction == "desc" else behind
    condition = f"({column}, {identity}) {sign} (%(after_key)s, %(after_id)s::uuid)"
    return f"({condition} OR {column} IS NULL)" if nullable and direction == "asc" else condition


def order_sql(column: str, identity: str, direction: Direction) -> str:
    """The matching ORDER BY."""
    way = "ASC" if direction == "asc" else "DESC"
    return f"{column} {way}, {identity} {way}"
