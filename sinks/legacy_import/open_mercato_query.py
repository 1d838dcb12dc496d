"""Statements that read the tables of Open Mercato, with all values as text."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from psycopg import sql

#: Entities whose custom fields are read, by table.
_ENTITIES: Final = {
    "customer_activities": "customers:customer_activity",
    "customer_interactions": "customers:customer_interaction",
    "todos": "example:todo",
}
_FIELDS: Final = "custom_field_values"
_VALUE: Final = (
    "coalesce(v.value_text, v.value_multiline, v.value_int::text, v.value_float::text, v.value_bool::text)"
)
#: Custom fields of a todo that have a column here.
_TODO_FIELDS: Final = ("description", "due_at", "priority", "severity")
_CUSTOM: Final = sql.SQL(
    """
LEFT JOIN LATERAL (
  SELECT string_agg(DISTINCT v.field_key, ',' ORDER BY v.field_key)
      FILTER (WHERE v.field_key <> ALL({known})) AS custom_fields {pivoted}
  FROM custom_field_values v
  WHERE v.entity_id = {entity} AND v.record_id = t.id::text AND v.deleted_at IS NULL AND {value} <> ''
) f ON true
"""
)
_TODO_DELETED: Final = """
, (t.todo_source = 'example:todo'
   AND EXISTS (SELECT FROM todos d WHERE d.id = t.todo_id AND d.deleted_at IS NOT NULL))::text AS todo_deleted
"""
# A todo can lack tenant and organization there; its link has them.
_OF_LINK: Final = """
coalesce(t.{column}, (SELECT l.{column} FROM customer_todo_links l
  WHERE l.todo_id = t.id AND l.todo_source = 'example:todo' ORDER BY l.id LIMIT 1))::text
"""


class RowsQuery:
    """Statement for the rows of a table in the order of their ids, with names of custom fields.

    :param columns: returns the columns of a table; none if it is not there.
    """

    def __init__(self, columns: Callable[[str], Collection[str]], table: str) -> None:
        self._columns = columns
        self._table = table

    @property
    def has_tenant(self) -> bool:
        """The rows can be limited to a tenant. Todos without one belong to the tenant of their link."""
        return "tenant_id" in self._columns(self._table) and self._table != "todos"

    def build(self, *, of_tenant: bool) -> sql.Composed:
        """Compose the statement.

        :param of_tenant: limit the rows to the parameter ``tenant``, where the table has one.
        """
        columns, is_todos = self._columns(self._table), self._table == "todos"
        selected = [self._selected(name) for name in columns if not (is_todos and name in _TODO_FIELDS)]
        joined: sql.Composable = sql.SQL("")
        if self._table in _ENTITIES and self._columns(_FIELDS):
            joined = _custom_fields(self._table)
            selected.append(sql.SQL("f.custom_fields"))
        if is_todos:
            selected += map(self._todo_field, _TODO_FIELDS)
        return sql.SQL("SELECT {} {} FROM {} t {} {} {}").format(
            sql.SQL(", ").join(selected),
            sql.SQL(_TODO_DELETED if self._knows_deleted_todos() else ""),
            sql.Identifier(self._table),
            joined,
            sql.SQL("WHERE t.tenant_id = %(tenant)s" if of_tenant and self.has_tenant else ""),
            sql.SQL("ORDER BY t.id" if "id" in columns else ""),
        )

    def _selected(self, column: str) -> sql.Composable:
        of_link = self._table == "todos" and column in ("tenant_id", "organization_id")
        if of_link and {column, "todo_id", "todo_source"} <= set(self._columns("customer_todo_links")):
            return sql.SQL(_OF_LINK + " AS {column}").format(column=sql.Identifier(column))
        return sql.SQL("t.{0}::text AS {0}").format(sql.Identifier(column))

    def _todo_field(self, name: str) -> sql.Composable:
        """A column of the todo, or its custom field of the same name."""
        has_column, has_fields = name in self._columns("todos"), bool(self._columns(_FIELDS))
        values = [f"t.{name}::text"] * has_column + [f"f.{name}"] * has_fields
        return sql.SQL(f"coalesce({', '.join([*values, 'NULL::text'])}) AS {name}")

    def _knows_deleted_todos(self) -> bool:
        return (
            self._table == "customer_todo_links"
            and "todo_source" in self._columns(self._table)
            and "deleted_at" in self._columns("todos")
        )


def _custom_fields(table: str) -> sql.Composed:
    known = _TODO_FIELDS if table == "todos" else ()
    pivoted = "".join(f", max({_VALUE}) FILTER (WHERE v.field_key = '{name}') AS {name}" for name in known)
    return _CUSTOM.format(
        known=sql.SQL("{}::text[]").format(sql.Literal(list(known))),
        pivoted=sql.SQL(pivoted),
        entity=sql.Literal(_ENTITIES[table]),
        value=sql.SQL(_VALUE),
    )
