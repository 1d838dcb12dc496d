"""The frozen tables of the old model: imported and migrated, never written (spec "Migration plan").

A trigger refuses every write, even by the tables' owner. Only a tool that migrates or imports legacy rows
lifts it, with :func:`lift_freeze`, for one transaction.
"""

from __future__ import annotations

from typing import Any, Final

import psycopg
import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Index, Integer, Text
from sqlalchemy.dialects.postgresql import ARRAY, TIMESTAMP, UUID

from sinks.columns import id_column
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

todos: Final = sa.Table(
    "legacy_todos",
    metadata,
    # The todo records behind the links, as an import found them in the module that owned them.
    id_column("tenant_id", primary_key=True),
    id_column("organization_id", primary_key=True),
    Column("todo_source", Text, primary_key=True),
    id_column("id", primary_key=True),
    Column("title", Text),
    Column("description", Text),
    Column("is_done", Boolean),
    Column("due_at", TIMESTAMP(timezone=True)),
    Column("done_at", TIMESTAMP(timezone=True)),
    # As text: other modules store numbers as well as words.
    Column("priority", Text),
    Column("severity", Text),
    Column("created_at", TIMESTAMP(timezone=True)),
    Column("updated_at", TIMESTAMP(timezone=True)),
)

interactions: Final = sa.Table(
    "legacy_interactions",
    metadata,
    # Rows of another installation's `customer_interactions`.
    id_column("id", primary_key=True),
    id_column("organization_id"),
    id_column("tenant_id"),
    id_column("entity_id"),
    id_column("deal_id", nullable=True),
    Column("interaction_type", Text, nullable=False),
    Column("title", Text),
    Column("body", Text),
    Column("status", Text, nullable=False),
    Column("scheduled_at", TIMESTAMP(timezone=True)),
    Column("occurred_at", TIMESTAMP(timezone=True)),
    Column("priority", Integer),
    id_column("author_user_id", nullable=True),
    id_column("owner_user_id", nullable=True),
    Column("appearance_icon", Text),
    Column("appearance_color", Text),
    Column("source", Text),
    Column("created_at", TIMESTAMP(timezone=True), nullable=False),
    Column("updated_at", TIMESTAMP(timezone=True), nullable=False),
    # Names of the columns that had a value there and have no place here.
    Column("dropped", ARRAY(Text), nullable=False, server_default="{}"),
    Index("ix_legacy_interactions_scope", "tenant_id", "organization_id", "entity_id"),
)

external_links: Final = sa.Table(
    "legacy_external_links",
    metadata,
    # The provider's object behind an activity, a todo or an interaction.
    id_column("tenant_id", primary_key=True),
    id_column("organization_id", primary_key=True),
    Column("integration_id", Text, primary_key=True),
    # Id of the activity, the todo or the interaction.
    id_column("legacy_id", primary_key=True),
    Column("external_id", Text, nullable=False),
    Column("external_url", Text),
    # For the backfill, which looks up the links of each batch.
    Index("ix_legacy_external_links_row", "legacy_id"),
)

LEGACY_TABLES: Final = (
    activities.name,
    todo_links.name,
    todos.name,
    interactions.name,
    external_links.name,
)

# Bound to the transaction id: a value that stays set in a session has no effect afterwards.
_LIFT_SQL: Final = (
    "SELECT set_config('interactions.legacy_frozen', 'off:' || pg_current_xact_id()::text, true)"
)


def lift_freeze(connection: psycopg.Connection[Any]) -> None:
    """Allow writes to the legacy tables until the end of the current transaction.

    For tools that import or migrate legacy rows; code that serves requests must not call it.
    """
    connection.execute(_LIFT_SQL)
