"""Whose rows a read may see: one tenant and one organization, in every statement (law 6)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

Connection = psycopg.AsyncConnection[Any]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenant and organization of a caller, as its token says."""

    tenant_id: str
    organization_id: str

    def parameters(self) -> dict[str, Any]:
        """The two named parameters that every statement of this room's reads has."""
        return {"tenant": self.tenant_id, "organization": self.organization_id}


async def fetch(connection: Connection, statement: str, parameters: dict[str, Any]) -> list[Row]:
    """The rows of one statement as dicts.

    :param statement: put together from this room's own texts; values travel as parameters only.
    """
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(statement.encode(), parameters)
    return await cursor.fetchall()


def like(text: str) -> str:
    """A pattern for ILIKE that finds a text anywhere, its own wildcards taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
