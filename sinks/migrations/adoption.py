"""Adopt a table that exists already: keep its rows and extra columns, and make the rest as it should be.

An installation of the old model may hand over its tables with their rows. Their constraints and indexes are
replaced: no rule of the old system refuses a row that is imported later.
"""

from __future__ import annotations

from typing import Final, NoReturn

import sqlalchemy as sa

from schemas.errors import Stop
from sinks.migrations.existing_table import ExistingTable

_TABLE: Final = """
SELECT c.oid, c.relkind, pg_has_role(c.relowner, 'USAGE') FROM pg_class c
WHERE c.oid = to_regclass(quote_ident(current_schema()) || '.' || quote_ident(:table))
"""
#: Checks, foreign keys, unique and exclusion constraints; and the primary key unless it is the id alone.
_CONSTRAINTS: Final = """
SELECT k.conname FROM pg_constraint k WHERE k.conrelid = :oid AND (k.contype IN ('c', 'f', 'u', 'x')
  OR (k.contype = 'p' AND k.conkey <> ARRAY(SELECT a.attnum FROM pg_attribute a
      WHERE a.attrelid = :oid AND a.attname = 'id')))
"""
_INDEXES: Final = """
SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indrelid = :oid AND NOT EXISTS (
  SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.conrelid = :oid)
"""
_PRIMARY_KEY: Final = "SELECT conname FROM pg_constraint WHERE conrelid = :oid AND contype = 'p'"


def create_or_adopt(connection: sa.Connection, table: sa.Table) -> None:
    """Create the table, or adopt the one of this name.

    :raises Stop: the existing table cannot be adopted, with all reasons. The caller's transaction must be
        rolled back.
    """
    found = connection.execute(sa.text(_TABLE), {"table": table.name}).one_or_none()
    if found is None:
        table.create(connection)
        return
    oid, kind, owned = found
    if kind != "r":
        _refuse(table, "it is not an ordinary table, but for example a view")
    if not owned:
        _refuse(table, "it belongs to another database user, and only its owner may change it")
    try:
        _adopt(connection, table, ExistingTable(connection, table.name, oid))
    except sa.exc.DBAPIError as error:
        # Hazard: the server's message may repeat values of the rows.
        _refuse(table, f"the database refused a change of it ({type(error.orig).__name__})")


def _adopt(connection: sa.Connection, table: sa.Table, existing: ExistingTable) -> None:
    for constraint in connection.execute(sa.text(_CONSTRAINTS), {"oid": existing.oid}).scalars().all():
        existing.alter(f"DROP CONSTRAINT {existing.quote(constraint)}")
    for index in connection.execute(sa.text(_INDEXES), {"oid": existing.oid}).scalars().all():
        existing.run(f"DROP INDEX {index}")
    existing.forget_comments()
    reasons = [
        existing.adjust(column) if column.name in existing.columns else existing.add(column)
        for column in table.columns
    ]
    if given := [reason for reason in reasons if reason is not None]:
        _refuse(table, *given)
    for extra in existing.columns.values():
        # Rows that are imported later have no value for it.
        if extra.name not in table.columns and extra.required and not extra.has_default:
            existing.alter(f"ALTER {existing.quote(extra.name)} DROP NOT NULL")
    _set_primary_key(connection, table, existing)
    for index in table.indexes:
        index.create(connection)


def _set_primary_key(connection: sa.Connection, table: sa.Table, existing: ExistingTable) -> None:
    """Make the id the primary key, under the name that a created table's has."""
    wanted = existing.quote(str(table.primary_key.name))
    found = connection.execute(sa.text(_PRIMARY_KEY), {"oid": existing.oid}).scalar_one_or_none()
    if found is None:
        if repeated := existing.repeated_ids():
            _refuse(table, f"{repeated} rows repeat the id of another row")
        existing.alter(f"ADD CONSTRAINT {wanted} PRIMARY KEY (id)")
    elif found != table.primary_key.name:
        existing.alter(f"RENAME CONSTRAINT {existing.quote(found)} TO {wanted}")


def _refuse(table: sa.Table, *reasons: str) -> NoReturn:
    raise Stop(
        f"The existing table {table.name} cannot be adopted: {'; '.join(reasons)}. Nothing was changed. Correct"
        " it, or rename it, upgrade, and bring its rows in with `interactions legacy import`."
    )
