"""Remove the legacy rows of an erased customer, with the todos and external links behind them."""

from __future__ import annotations

from typing import Final

from runtime.postgres import Connection
from sinks.erasure.erased import ErasedCustomer
from sinks.legacy_tables import lift_freeze

_OWNED: Final = (
    "{0}.tenant_id = %(tenant)s AND {0}.organization_id = %(organization)s AND {0}.entity_id = %(entity)s"
)
_EXTERNAL_LINKS_SQL: Final = f"""
DELETE FROM legacy_external_links x WHERE x.tenant_id = %(tenant)s AND x.organization_id = %(organization)s
AND (EXISTS (SELECT FROM customer_activities l WHERE l.id = x.legacy_id AND {_OWNED.format("l")})
  OR EXISTS (SELECT FROM customer_todo_links l WHERE x.legacy_id IN (l.id, l.todo_id) AND {_OWNED.format("l")}
    AND NOT EXISTS (SELECT FROM customer_todo_links o WHERE o.todo_id = x.legacy_id
      AND o.tenant_id = l.tenant_id AND o.entity_id <> l.entity_id))
  OR EXISTS (SELECT FROM legacy_interactions l WHERE l.id = x.legacy_id AND {_OWNED.format("l")}))
"""  # noqa: S608 - constant text
# A todo that another customer shares stays: it is that customer's, too.
_TODOS_SQL: Final = f"""
DELETE FROM legacy_todos t USING customer_todo_links l
WHERE {_OWNED.format("l")} AND (t.tenant_id, t.organization_id, t.todo_source, t.id)
    = (l.tenant_id, l.organization_id, l.todo_source, l.todo_id)
  AND NOT EXISTS (SELECT FROM customer_todo_links o
    WHERE (o.tenant_id, o.organization_id, o.todo_source, o.todo_id)
        = (l.tenant_id, l.organization_id, l.todo_source, l.todo_id) AND o.entity_id <> l.entity_id)
"""  # noqa: S608 - constant text
_ROWS_SQL: Final = {
    table: f"DELETE FROM {table} r WHERE {_OWNED.format('r')}"  # noqa: S608 - constant text
    for table in ("customer_todo_links", "customer_activities", "legacy_interactions")
}
#: In the order of their references.
_STATEMENTS: Final = {
    "legacy_external_links": _EXTERNAL_LINKS_SQL,
    "legacy_todos": _TODOS_SQL,
    **_ROWS_SQL,
}


def remove_legacy_rows(connection: Connection, customer: ErasedCustomer) -> int:
    """Delete the rows in one transaction; return their number. Idempotent."""
    parameters = {
        "entity": customer.entity_id,
        "tenant": customer.tenant_id,
        "organization": customer.organization_id,
    }
    with connection.transaction():
        lift_freeze(connection)
        return sum(connection.execute(sql, parameters).rowcount for sql in _STATEMENTS.values())
