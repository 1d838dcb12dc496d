"""Alembic environment: migrations run on the connection that ``sinks.migrate`` passes in."""

from __future__ import annotations

from alembic import context

from sinks.migrate import include_object
from sinks.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_object=include_object,
    compare_type=True,
    compare_server_default=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
