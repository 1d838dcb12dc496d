"""Postgres types of the columns that the applier writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

_DIALECT: Final = postgresql.dialect()  # type: ignore[no-untyped-call]
_SHORT: Final = {"timestamp with time zone": "timestamptz"}


def column_types(table: sa.Table, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the types of columns: ``uuid``, ``text``, ``timestamptz``, …"""
    names = [table.c[name].type.compile(dialect=_DIALECT).lower() for name in columns]
    return tuple(_SHORT.get(name, name) for name in names)
