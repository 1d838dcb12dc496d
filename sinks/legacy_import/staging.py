"""Temporary tables of one import, and the statements on a chunk of staged rows.

They live as long as the session. What an import has seen is kept in them, not in memory.
"""

from __future__ import annotations

from typing import Final

from runtime.postgres import Connection
from sinks.legacy_import.targets import TARGETS, Target

#: Kinds of keys in ``legacy_import_seen``. A key of several columns is hashed.
_SEEN_KEY: Final = {
    "customer_activities": "s.id",
    "customer_todo_links": "s.id",
    "legacy_interactions": "s.id",
    "legacy_todos": "md5(concat_ws('/', s.tenant_id, s.organization_id, s.todo_source, s.id))::uuid",
    "legacy_external_links": (
        "md5(concat_ws('/', s.tenant_id, s.organization_id, s.integration_id, s.legacy_id))::uuid"
    ),
}
_CREATE: Final = """
CREATE TEMP TABLE legacy_import_seen (what text, key uuid, PRIMARY KEY (what, key));
CREATE TEMP TABLE legacy_import_deleted_customers (id uuid PRIMARY KEY);
CREATE TEMP TABLE legacy_import_withheld (id uuid, entity_id uuid, reason text, PRIMARY KEY (id, entity_id));
CREATE TEMP TABLE legacy_import_deals (deal_id uuid, entity_id uuid, company boolean,
  PRIMARY KEY (deal_id, entity_id))
"""
# The deleted or withheld interaction of an activity has its id; that of a todo link has the id of the todo.
_WITHHELD: Final = """
EXISTS (SELECT FROM legacy_import_withheld w WHERE w.reason = '{reason}' AND w.id = s.{key}
  AND (w.entity_id = s.entity_id OR s.{key} = s.id))
"""
#: Reason to leave a row out → condition on ``s``, a staged row.
_CONDITIONS: Final = {
    "id_of_other_tenant": (
        "EXISTS (SELECT FROM {table} t WHERE t.id = s.id"
        " AND (t.tenant_id, t.organization_id) <> (s.tenant_id, s.organization_id))"
    ),
    "customer_erased": "EXISTS (SELECT FROM erased_entities e WHERE e.entity_id = s.entity_id)",
    "customer_deleted": "EXISTS (SELECT FROM legacy_import_deleted_customers d WHERE d.id = s.entity_id)",
    "interaction_deleted": _WITHHELD.replace("{reason}", "deleted"),
    "interaction_private": _WITHHELD.replace("{reason}", "private"),
    "not_linked": """
NOT EXISTS (SELECT FROM legacy_import_seen k WHERE k.what = 'linked_todo'
  AND k.key = md5(concat_ws('/', s.tenant_id, s.organization_id, s.todo_source, s.id))::uuid)
AND NOT EXISTS (SELECT FROM customer_todo_links l WHERE (l.tenant_id, l.organization_id, l.todo_id,
  l.todo_source) = (s.tenant_id, s.organization_id, s.id, s.todo_source))
""",
    "interaction_erased": ("EXISTS (SELECT FROM erased_interactions i WHERE i.interaction_id = s.legacy_id)"),
    "not_imported_row": """
NOT EXISTS (SELECT FROM legacy_import_seen k WHERE k.key = s.legacy_id AND k.what IN
  ('customer_activities', 'customer_todo_links', 'legacy_interactions', 'linked_todo_id'))
AND NOT EXISTS (SELECT FROM customer_activities l WHERE l.id = s.legacy_id)
AND NOT EXISTS (SELECT FROM legacy_interactions l WHERE l.id = s.legacy_id)
AND NOT EXISTS (SELECT FROM customer_todo_links l WHERE l.id = s.legacy_id)
AND NOT EXISTS (SELECT FROM customer_todo_links l WHERE (l.tenant_id, l.organization_id, l.todo_id)
  = (s.tenant_id, s.organization_id, s.legacy_id))
""",
}
_LINKED_TODOS: Final = """
INSERT INTO legacy_import_seen
SELECT 'linked_todo', md5(concat_ws('/', s.tenant_id, s.organization_id, s.todo_source, s.todo_id))::uuid
FROM staged_customer_todo_links s
UNION SELECT 'linked_todo_id', s.todo_id FROM staged_customer_todo_links s
ON CONFLICT DO NOTHING
"""


def create_staging(connection: Connection) -> None:
    """Create the temporary tables of this session."""
    for statement in _CREATE.split(";"):
        connection.execute(statement.encode())
    for target in TARGETS.values():
        names = ", ".join(target.columns)
        # Types alone: an adopted table has constraints of its own.
        connection.execute(
            f"CREATE TEMP TABLE {target.staged} ON COMMIT DELETE ROWS AS"  # noqa: S608 - constant names
            f" SELECT {names}, 0 AS n FROM {target.table} WITH NO DATA".encode()
        )


def remove_staged(connection: Connection, target: Target, reason: str) -> list[int]:
    """Remove the staged rows that are left out for a reason; return their numbers."""
    key = "todo_id" if target.table == "customer_todo_links" else "id"
    condition = _CONDITIONS[reason].format(table=target.table, key=key)
    rows = connection.execute(
        f"DELETE FROM {target.staged} s WHERE {condition} RETURNING s.n".encode()  # noqa: S608 - constant texts
    )
    return [row[0] for row in rows]


def remove_repeated(connection: Connection, target: Target) -> list[int]:
    """Remove the staged rows whose key was imported before by this run, and return their numbers.

    The first row wins. What is left is noted as seen.
    """
    key = _SEEN_KEY[target.table]
    removed = connection.execute(
        f"""
        WITH numbered AS (SELECT s.n, {key} AS key,
            row_number() OVER (PARTITION BY {key} ORDER BY s.n) AS nth FROM {target.staged} s),
        fresh AS (INSERT INTO legacy_import_seen
          SELECT '{target.table}', n.key FROM numbered n WHERE n.nth = 1
          ON CONFLICT DO NOTHING RETURNING key)
        DELETE FROM {target.staged} s USING numbered n
        WHERE n.n = s.n AND (n.nth > 1 OR NOT EXISTS (SELECT FROM fresh f WHERE f.key = n.key))
        RETURNING s.n
        """.encode()  # noqa: S608 - constant texts
    ).fetchall()
    if target.table == "customer_todo_links":
        connection.execute(_LINKED_TODOS)
    return [row[0] for row in removed]
