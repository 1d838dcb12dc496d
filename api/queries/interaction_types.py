"""The dictionary of interaction types of one organization."""

from __future__ import annotations

from typing import Final

from api.queries.scope import Connection, Row, Scope, fetch
from domain.default_types import DEFAULT_TYPES

_SQL: Final = """
SELECT t.code, t.label, t.icon, t.color, t.actionable FROM interaction_types t
WHERE t.tenant_id = %(tenant)s AND t.organization_id = %(organization)s ORDER BY t.label, t.code
"""
_STRICT: Final = """
SELECT d.strict FROM interaction_dictionaries d
WHERE d.tenant_id = %(tenant)s AND d.organization_id = %(organization)s
"""


async def dictionary(connection: Connection, scope: Scope) -> tuple[list[Row], bool]:
    """The entries by label, and whether the dictionary is strict. Missing defaults are added."""
    rows = await fetch(connection, _SQL, scope.parameters())
    known = {row["code"] for row in rows}
    rows += [
        {name: getattr(entry, name) for name in ("code", "label", "icon", "color", "actionable")}
        for entry in DEFAULT_TYPES.values()
        if entry.code not in known
    ]
    strict = await fetch(connection, _STRICT, scope.parameters())
    return sorted(rows, key=lambda row: (row["label"], row["code"])), bool(strict and strict[0]["strict"])
