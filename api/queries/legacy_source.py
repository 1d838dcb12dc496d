"""Read one legacy row in full, with the stored facts that its move depends on."""

from __future__ import annotations

from typing import Final

from api.queries.scope import Connection, Row, Scope, fetch
from domain.legacy_rows import StoredFacts
from sinks.legacy_rows import CODES_SQL, KINDS, facts_of, legacy_rows_sql

_ONE: Final = "l.id = %(id)s AND l.tenant_id = %(tenant)s AND l.organization_id = %(organization)s"
_SQL: Final = {kind: legacy_rows_sql(kind, _ONE) for kind in KINDS}


async def legacy_row(connection: Connection, scope: Scope, row_id: str) -> tuple[Row, StoredFacts] | None:
    """Read the legacy row with this id that is to be moved; ``None`` if there is none."""
    values = {**scope.parameters(), "id": row_id}
    for kind in KINDS:
        for row in await fetch(connection, _SQL[kind], values):
            if not row["superseded"]:
                codes = await fetch(connection, CODES_SQL, values) if row["strict"] else []
                return row, facts_of(row, frozenset(code["code"] for code in codes))
    return None
