"""Scope of reads: one tenant and one organization in every statement (tenant-isolation invariant)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

Connection = psycopg.AsyncConnection[Any]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Scope:
    """The tenant and organization of the caller's token."""

    tenant_id: str
    organization_id: str

    def parameters(self) -> dict[str, Any]:
        """The two named parameters of every statement in this package."""
        return {"tenant": self.tenant_id, "organization": self.organization_id}


async def fetch(connection: Connection, statement: str, parameters: dict[str, Any]) -> list[Row]:
    """The rows of one statement as dicts.

    :param statement: built from constant texts of this package. Values are parameters only.
    """
    cursor = connection.cursor(row_factory=dict_row)
    await cursor.execute(statement.encode(), parameters)
    return await cursor.fetchall()
