"""Read an Open Mercato database (packages/core/src/modules/customers/data/entities.ts). Never write to it.

One read-only transaction sees all tables as of one moment. Server-side cursors bound the memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from pydantic import SecretStr

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.errors import Stop
from sinks.legacy_import.open_mercato_query import RowsQuery

_CURSOR_ROWS: Final = 5_000
_COLUMNS: Final = """
SELECT c.column_name, c.data_type IN ('text', 'character varying', 'character')
FROM information_schema.columns c
WHERE c.table_schema = ANY(current_schemas(false)) AND c.table_name = %s
ORDER BY array_position(current_schemas(false), c.table_schema::name), c.ordinal_position
"""


class OpenMercato:
    """An open, read-only transaction on an Open Mercato database.

    :param tenant: read only this tenant's rows of the tables that have a tenant.
    """

    def __init__(self, connection: psycopg.Connection[Any], tenant: str | None) -> None:
        self._connection = connection
        self._tenant = tenant
        #: Table → its columns, with whether each holds text.
        self._columns: dict[str, dict[str, bool]] = {}

    @property
    def name(self) -> str:
        """Host and database, without credentials."""
        info = self._connection.info
        return f"database {info.dbname} on {info.host or 'localhost'}:{info.port}"

    def columns(self, table: str) -> dict[str, bool]:
        """Columns of a table, with whether each holds text; empty if the table is not there."""
        if table not in self._columns:
            rows = self._connection.execute(_COLUMNS, (table,)).fetchall()
            # Of two schemas with the table, the first in the search path comes first.
            self._columns[table] = dict(reversed(rows)) if rows else {}
        return self._columns[table]

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """Rows of a table in the order of their ids: all columns as text, and names of custom fields.

        Of a server without an encoding, values are bytes.
        """
        with self._connection.cursor(f"import_{table}", row_factory=dict_row) as cursor:
            cursor.itersize = _CURSOR_ROWS
            query = RowsQuery(self.columns, table).build(of_tenant=self._tenant is not None)
            cursor.execute(query, {"tenant": self._tenant})
            yield from cursor

    def find_text(self, table: str, pattern: str, end: str) -> tuple[str, str] | None:
        """Find a text that matches; return its column and the id of its row.

        :param end: end of every match, which is cheaper to compare.
        """
        of_tenant = self._tenant is not None and RowsQuery(self.columns, table).has_tenant
        for column, is_text in self.columns(table).items():
            if not is_text:
                continue
            query = sql.SQL("SELECT {} FROM {} t WHERE right({}, %s) = %s AND {} ~ %s {} LIMIT 1").format(
                sql.SQL("t.id::text" if "id" in self.columns(table) else "''"),
                sql.Identifier(table),
                sql.Identifier(column),
                sql.Identifier(column),
                sql.SQL("AND t.tenant_id = %s" if of_tenant else ""),
            )
            values = [len(end), end, pattern, *([self._tenant] if of_tenant else [])]
            row = self._connection.execute(query, values).fetchone()
            if row is not None:
                return column, str(row[0])
        return None

    def encrypted_entities(self) -> list[str]:
        """Entities that an active encryption map of the customers module or of todos names."""
        if not {"entity_id", "is_active", "deleted_at"} <= set(self.columns("encryption_maps")):
            return []
        rows = self._connection.execute(
            "SELECT DISTINCT entity_id FROM encryption_maps WHERE is_active AND deleted_at IS NULL"
            " AND (entity_id LIKE 'customers:%%' OR entity_id = 'example:todo') ORDER BY 1"
        )
        return [str(row[0]) for row in rows]

    def check_foreign(self) -> None:
        """Check that the database is another product's.

        :raises Stop: it is one of this product: the import would read what it writes.
        """
        if self.columns("alembic_version") and self.columns("journal"):
            raise Stop(
                f"The {self.name} is a database of this product, not one to import from. Nothing was"
                " imported. Tables that `interactions db upgrade` adopted need no import.",
            )


@contextmanager
def open_mercato(settings: Settings, url: str, tenant: str | None) -> Iterator[OpenMercato]:
    """Open a database for reading.

    :raises Stop: the URL is malformed.
    :raises Retry: the server is unreachable.
    """
    there = settings.model_copy(update={"database_url": SecretStr(url)})
    try:
        connection = connect(there, application_name="interactions-import")
    except Stop:
        # Hazard: the message must not repeat the URL, which can have a password.
        raise Stop(
            "--from postgres: needs a libpq URL of the form postgresql://user@host:5432/name."
            " Nothing was imported.",
        ) from None
    with closing(connection):  # an interrupted connection cannot send the statement that ends its own block
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SET datestyle = 'ISO'")
        yield OpenMercato(connection, tenant)
