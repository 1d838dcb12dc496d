"""Columns that tables have in common: instants, ids, tenant and organization."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Column
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

#: Before every UUID, in the order of Postgres: where a keyset begins.
LEAST_ID: Final = "00000000-0000-0000-0000-000000000000"


def instant(name: str, *, nullable: bool = False, now: bool = False) -> Column[Any]:
    """A point in time.

    :param now: the database's clock is the default.
    """
    server_default = sa.text("now()") if now else None
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable, server_default=server_default)


def id_column(name: str, *args: Any, nullable: bool = False, primary_key: bool = False) -> Column[Any]:
    """A UUID.

    :param args: constraints, such as a foreign key.
    """
    return Column(name, UUID(as_uuid=False), *args, nullable=nullable, primary_key=primary_key)


def scope() -> tuple[Column[Any], Column[Any]]:
    """Tenant and organization. Tenant-isolation invariant: they are on every row."""
    return id_column("tenant_id"), id_column("organization_id")
