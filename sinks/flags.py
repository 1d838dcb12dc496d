"""Feature flags of one tenant: the value that was set, or the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import psycopg

from schemas.flags import DEFAULTS, UNIFIED


def _has_legacy_rows(tenant: str) -> str:
    # The legacy rows are frozen, so one index look-up per table is enough.
    tables = ("customer_activities", "customer_todo_links", "legacy_interactions")
    parts = [f"EXISTS (SELECT 1 FROM {table} WHERE tenant_id = {tenant})" for table in tables]  # noqa: S608
    return f"({' OR '.join(parts)})"


_SQL: Final = f"""
SELECT (SELECT json_object_agg(flag, enabled) FROM feature_flags WHERE tenant_id = %(tenant)s),
       {_has_legacy_rows("%(tenant)s")}
"""  # noqa: S608 - constant texts
#: Those tenants that have legacy rows whose move is not validated.
UNVALIDATED_SQL: Final = f"""
SELECT t.id::text FROM unnest(%b::text[]::uuid[]) AS t (id)
WHERE {_has_legacy_rows("t.id")} AND NOT EXISTS (
  SELECT 1 FROM tenant_migrations m WHERE m.tenant_id = t.id AND m.validated_at IS NOT NULL)
"""  # noqa: S608 - constant texts


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


async def awaits_validation_async(connection: psycopg.AsyncConnection[Any], tenant_id: str) -> bool:
    """Report whether a tenant has legacy rows whose move is not validated (``NEED_VALIDATION``)."""
    cursor = await connection.execute(UNVALIDATED_SQL, ([tenant_id],))
    return await cursor.fetchone() is not None


def _flags(row: tuple[Any, ...] | None) -> dict[str, Flag]:
    chosen, has_legacy_rows = row if row is not None else (None, False)
    chosen = chosen or {}
    defaults = {**DEFAULTS, UNIFIED: not has_legacy_rows}
    return {
        name: Flag(name, bool(chosen.get(name, default)), name in chosen)
        for name, default in defaults.items()
    }
