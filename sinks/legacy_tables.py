"""The two frozen tables of the old model: read and migrated, never written (spec "Migration plan").

A trigger refuses every write, even by the tables' owner. Only a tool that migrates or imports legacy rows
lifts it, with :func:`lift_freeze`, for one transaction.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy import Column, Index, Text
from sqlalchemy.dialects.postgresql import TIMESTAMP, UUID

from sinks.tables import metadata

activities: Final = sa.Table(
    "customer_activities",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("organization_id", UUID(as_uuid=False), nullable=False),
    Column("tenant_id", UUID(as_uuid=False), nullable=False),
    Column("entity_id", UUID(as_uuid=False), nullable=False),
    Column("deal_id", UUID(as_uuid=False)),
    Column("activity_type", Text, nullable=False),
    Column("subject", Text),
    Column("body", Text),
    Column("occurred_at", TIMESTAMP(timezone=True)),
    Column("author_user_id", UUID(as_uuid=False)),
    Column("appearance_icon", Text),
    Column("appearance_color", Text),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
    Index("ix_customer_activities_scope", "tenant_id", "organization_id", "entity_id"),
)

todo_links: Final = sa.Table(
    "customer_todo_links",
    metadata,
    Column("id", UUID(as_uuid=False), primary_key=True),
    Column("organization_id", UUID(as_uuid=False), nullable=False),
    Column("tenant_id", UUID(as_uuid=False), nullable=False),
    Column("entity_id", UUID(as_uuid=False), nullable=False),
    Column("todo_id", UUID(as_uuid=False), nullable=False),
    Column("todo_source", Text, nullable=False, server_default=sa.text("'customers:interaction'")),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    Column("created_by_user_id", UUID(as_uuid=False)),
    Index("ix_customer_todo_links_scope", "tenant_id", "organization_id", "entity_id"),
    Index("ix_customer_todo_links_todo", "tenant_id", "organization_id", "todo_id"),
)

LEGACY_TABLES: Final = (activities.name, todo_links.name)

# Bound to the transaction id: a value that stays set in a session has no effect afterwards.
_LIFT_SQL: Final = (
    "SELECT set_config('interactions.legacy_frozen', 'off:' || pg_current_xact_id()::text, true)"
)


def lift_freeze(connection: psycopg.Connection[Any]) -> None:
    """Allow writes to the legacy tables until the end of the current transaction.

    For tools that import or migrate legacy rows; code that serves requests must not call it.
    """
    connection.execute(_LIFT_SQL)
