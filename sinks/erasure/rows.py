"""Read all rows of all tables as text, for the search that ends an erasure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from psycopg import sql

from runtime.postgres import Connection

#: Texts of an organization or of the product, not of a customer.
_LEFT_OUT: Final = ("interaction_types", "alembic_version")
#: Columns that name the customer of a row, or one of its interactions.
_OWNERS: Final = ("entity_id", "interaction_id", "local_id")
_TABLES_SQL: Final = """
SELECT c.relname::text, array_agg(a.attname::text)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND NOT c.relispartition
GROUP BY c.relname ORDER BY c.relname
"""
_PAGE: Final = 2000


@dataclass(frozen=True, slots=True)
class SearchedTable:
    """One table.

    :param owned: its rows name their customer, or one of its interactions.
    :param scoped: its rows have a tenant.
    """

    name: str
    owned: bool
    scoped: bool


def searched_tables(connection: Connection) -> list[SearchedTable]:
    """List the tables to search."""
    return [
        SearchedTable(
            name,
            owned=name == "customer_entities" or any(column in columns for column in _OWNERS),
            scoped="tenant_id" in columns,
        )
        for name, columns in connection.execute(_TABLES_SQL)
        if name not in _LEFT_OUT
    ]


def row_texts(connection: Connection, table: SearchedTable, tenant_id: str) -> Iterator[list[str]]:
    """Yield the rows of a table as text, page by page: those of the tenant, and those without one."""
    query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table.name))
    values: tuple[str, ...] = ()
    if table.scoped:
        query += sql.SQL(" WHERE t.tenant_id = %s OR t.tenant_id IS NULL")
        values = (tenant_id,)
    with connection.transaction(), connection.cursor("erasure_search") as cursor:
        cursor.itersize = _PAGE
        cursor.execute(query, values)
        while rows := cursor.fetchmany(_PAGE):
            yield [row[0] for row in rows]
