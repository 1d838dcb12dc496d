"""Feature flags of one tenant: the value that was set, or the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg

from schemas.flags import DEFAULTS, UNIFIED

# A tenant's legacy rows are frozen, so two index look-ups are enough.
_SQL: Final = """
SELECT (SELECT json_object_agg(flag, enabled) FROM feature_flags WHERE tenant_id = %(tenant)s),
       EXISTS (SELECT 1 FROM customer_activities WHERE tenant_id = %(tenant)s)
       OR EXISTS (SELECT 1 FROM customer_todo_links WHERE tenant_id = %(tenant)s)
"""


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag of a tenant.

    :param chosen: whether it was set; otherwise ``enabled`` is the default.
    """

    name: str
    enabled: bool
    chosen: bool


def flags_of(connection: psycopg.Connection[Any], tenant_id: str) -> dict[str, Flag]:
    """Return every flag of a tenant by name."""
    return _flags(connection.execute(_SQL, {"tenant": tenant_id}).fetchone())


async def flags_of_async(connection: psycopg.AsyncConnection[Any], tenant_id: str) -> dict[str, Flag]:
    """Return every flag of a tenant by name, on an async connection."""
    cursor = await connection.execute(_SQL, {"tenant": tenant_id})
    return _flags(await cursor.fetchone())


def _flags(row: tuple[Any, ...] | None) -> dict[str, Flag]:
    chosen, has_legacy_rows = row if row is not None else (None, False)
    chosen = chosen or {}
    defaults = {**DEFAULTS, UNIFIED: not has_legacy_rows}
    return {
        name: Flag(name, bool(chosen.get(name, default)), name in chosen)
        for name, default in defaults.items()
    }
