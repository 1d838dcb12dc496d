"""Legacy rows in one shape, with the stored facts that their conversion depends on.

The gateway and the jobs role run the same statement: it is the one definition of which rows are left to move.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from domain.default_types import DEFAULT_TYPES
from domain.legacy_rows import TASK, StoredFacts

Kind = Literal["activity", "todo", "interaction"]
#: In the order of the backfill.
KINDS: Final[tuple[Kind, ...]] = ("activity", "todo", "interaction")

TABLES: Final[dict[Kind, str]] = {
    "activity": "customer_activities",
    "todo": "customer_todo_links",
    "interaction": "legacy_interactions",
}
#: Actor of the commands that take a backfill back.
ROLLBACK_ACTOR: Final = "backfill-rollback"
#: Facts for which a row is not moved, in the order in which they are tested.
NOT_TO_MOVE: Final = ("erased", "superseded", "repeated", "moved", "deleted")
# Hazard: psycopg fails on infinity and on years outside Python's range, which would fail the whole page.
_READABLE: Final = "{0} BETWEEN '0001-01-03Z' AND '9999-12-29Z'"


def _instants(**columns: str) -> str:
    values = ", ".join(
        f"CASE WHEN {_READABLE.format(source)} THEN {source} END AS {name}"
        for name, source in columns.items()
    )
    lost = ", ".join(
        f"CASE WHEN NOT ({_READABLE.format(source)}) THEN '{name}' END" for name, source in columns.items()
    )
    return f"{values}, array_remove(ARRAY[{lost}], NULL) AS unreadable"


def deleted(id_sql: str) -> str:
    """Condition: the interaction was deleted, and not by the rollback of a backfill.

    Its deletion is in the journal, or in ``dropped_deletions`` once that month is dropped.
    """
    return (
        f"(EXISTS (SELECT 1 FROM journal d WHERE d.interaction_id = {id_sql}"  # noqa: S608 - constant texts
        f" AND d.retired_version IS NOT NULL AND d.actor_id IS DISTINCT FROM '{ROLLBACK_ACTOR}')"
        f" OR EXISTS (SELECT 1 FROM dropped_deletions d WHERE d.interaction_id = {id_sql}"
        " AND NOT d.rolled_back))"
    )


def generation(id_sql: str) -> str:
    """Last version of an interaction that was deleted; 0 if it never was."""
    return (
        "greatest((SELECT coalesce(max(j.retired_version), 0) FROM journal j"  # noqa: S608 - constant texts
        f" WHERE j.interaction_id = {id_sql} AND j.retired_version IS NOT NULL),"
        f" (SELECT d.retired_version FROM dropped_deletions d WHERE d.interaction_id = {id_sql}))"
    )


#: Condition on ``r``, a legacy row: it is an interaction.
MOVED: Final = "EXISTS (SELECT 1 FROM customer_interactions x WHERE x.id = r.id::uuid)"
#: Legacy rows in one shape, by kind, from ``l``; to be followed by a condition.
SHAPES: Final[dict[Kind, str]] = {
    "activity": f"""
SELECT 'activity' AS kind, l.id::text AS id, l.tenant_id::text AS tenant_id,
  l.organization_id::text AS organization_id, l.entity_id::text AS entity_id, l.deal_id::text AS deal_id,
  l.activity_type AS interaction_type, l.subject AS title, l.body,
  CASE WHEN l.occurred_at IS NULL THEN 'planned' ELSE 'done' END AS status,
  NULL::text AS priority, NULL::text AS severity, l.author_user_id::text AS author_user_id,
  NULL::text AS owner_user_id, l.appearance_icon, l.appearance_color, NULL::text AS todo_id,
  NULL::text AS todo_source, true AS found, '{{}}'::text[] AS dropped, NULL::timestamptz AS scheduled_at,
  {_instants(occurred_at="l.occurred_at", created_at="l.created_at", updated_at="l.updated_at")},
  EXISTS (SELECT 1 FROM legacy_interactions n WHERE n.id = l.id) AS superseded, false AS repeated,
  false AS shared
FROM customer_activities l""",  # noqa: S608 - constant texts
    # A link stores the id and the source of its todo only; an import brings the todo itself.
    "todo": f"""
SELECT 'todo' AS kind, l.id::text AS id, l.tenant_id::text AS tenant_id,
  l.organization_id::text AS organization_id, l.entity_id::text AS entity_id, NULL::text AS deal_id,
  '{TASK}' AS interaction_type, t.title, t.description AS body,
  CASE WHEN t.is_done THEN 'done' ELSE 'planned' END AS status,
  t.priority, t.severity, l.created_by_user_id::text AS author_user_id,
  NULL::text AS owner_user_id, NULL::text AS appearance_icon, NULL::text AS appearance_color,
  l.todo_id::text AS todo_id, l.todo_source, t.id IS NOT NULL AS found, '{{}}'::text[] AS dropped,
  {
        _instants(
            scheduled_at="t.due_at",
            occurred_at="t.done_at",
            created_at="l.created_at",
            updated_at="coalesce(t.updated_at, l.created_at)",
        )
    },
  EXISTS (SELECT 1 FROM legacy_interactions n WHERE n.id = l.todo_id AND n.entity_id = l.entity_id)
    OR EXISTS (SELECT 1 FROM customer_interactions x WHERE x.id = l.todo_id AND x.entity_id = l.entity_id)
    OR {deleted("l.todo_id")} AS superseded,
  EXISTS (SELECT 1 FROM customer_todo_links f WHERE f.tenant_id = l.tenant_id
          AND f.organization_id = l.organization_id AND f.todo_id = l.todo_id
          AND f.todo_source = l.todo_source AND f.entity_id = l.entity_id AND f.id < l.id) AS repeated,
  EXISTS (SELECT 1 FROM customer_todo_links f WHERE f.tenant_id = l.tenant_id
          AND f.organization_id = l.organization_id AND f.todo_id = l.todo_id
          AND f.entity_id <> l.entity_id) AS shared
FROM customer_todo_links l
LEFT JOIN legacy_todos t ON t.tenant_id = l.tenant_id AND t.organization_id = l.organization_id
  AND t.todo_source = l.todo_source AND t.id = l.todo_id""",  # noqa: S608 - constant texts
    "interaction": f"""
SELECT 'interaction' AS kind, l.id::text AS id, l.tenant_id::text AS tenant_id,
  l.organization_id::text AS organization_id, l.entity_id::text AS entity_id, l.deal_id::text AS deal_id,
  l.interaction_type, l.title, l.body, l.status, l.priority::text AS priority, NULL::text AS severity,
  l.author_user_id::text AS author_user_id, l.owner_user_id::text AS owner_user_id, l.appearance_icon,
  l.appearance_color, NULL::text AS todo_id, NULL::text AS todo_source, true AS found, l.dropped,
  {
        _instants(
            scheduled_at="l.scheduled_at",
            occurred_at="l.occurred_at",
            created_at="l.created_at",
            updated_at="l.updated_at",
        )
    },
  EXISTS (SELECT 1 FROM customer_todo_links f JOIN customer_interactions x ON x.id = f.id
          WHERE f.tenant_id = l.tenant_id AND f.organization_id = l.organization_id AND f.todo_id = l.id
          AND f.entity_id = l.entity_id) AS superseded,
  false AS repeated, false AS shared
FROM legacy_interactions l""",  # noqa: S608 - constant texts
}
_FACTS: Final = f"""
SELECT r.*,
  EXISTS (SELECT 1 FROM customer_entities e WHERE e.id = r.entity_id::uuid
          AND e.tenant_id = r.tenant_id::uuid AND e.organization_id = r.organization_id::uuid)
    AS customer_known,
  r.deal_id IS NOT NULL AND EXISTS (SELECT 1 FROM customer_deals d WHERE d.id = r.deal_id::uuid
          AND d.entity_id = r.entity_id::uuid AND d.tenant_id = r.tenant_id::uuid
          AND d.organization_id = r.organization_id::uuid) AS deal_known,
  EXISTS (SELECT 1 FROM erased_entities e WHERE e.entity_id = r.entity_id::uuid) AS erased,
  {MOVED} AS moved, {deleted("r.id::uuid")} AS deleted,
  {generation("r.id::uuid")} AS generation,
  (SELECT d.strict FROM interaction_dictionaries d
   WHERE d.tenant_id = r.tenant_id::uuid AND d.organization_id = r.organization_id::uuid) AS strict
"""  # noqa: S608 - constant texts
CODES_SQL: Final = """
SELECT t.code FROM interaction_types t
WHERE t.tenant_id = %(tenant)s AND t.organization_id = %(organization)s
"""


def legacy_rows_sql(kind: Kind, condition: str) -> str:
    """Statement for the legacy rows of a kind under a condition on ``l``, in the order of their ids.

    Besides the values of the row: whether the customer and the deal are known; and whether the row is
    ``moved``, was ``deleted`` after that, is ``superseded`` by a newer row of the same id, ``repeated`` by
    another link of the same todo and customer, ``shared`` with another customer, or belongs to an
    ``erased`` one. ``generation`` is the last version of an interaction that was deleted.

    :param condition: may end with ``ORDER BY l.id LIMIT``.
    """
    return f"{_FACTS} FROM ({SHAPES[kind]} WHERE {condition}) r ORDER BY r.id"


def facts_of(row: dict[str, Any], codes: frozenset[str]) -> StoredFacts:
    """The stored facts of a row of this statement.

    :param codes: codes of the row's dictionary; used if the dictionary is strict.
    """
    return StoredFacts(
        customer_known=row["customer_known"],
        deal_known=row["deal_known"],
        types=frozenset({*codes, *DEFAULT_TYPES}) if row["strict"] else None,
    )
