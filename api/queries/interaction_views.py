"""The three views over interactions (all, activities, todos), with the legacy rows until they are moved.

A legacy row is shown until an interaction has its id. If that interaction is deleted, the row stays hidden:
the command log keeps the versions of deleted interactions.
"""

from __future__ import annotations

from typing import Final, Literal

from domain.legacy_rows import LEGACY_ACTIVITY

View = Literal["interactions", "activities", "todos"]

ACTIVITY_SOURCES: Final = ("adapter:activity", "migration:activity")
TODO_SOURCES: Final = ("adapter:todo", "migration:todo_link")
LEGACY_TODO: Final = "legacy:todo_link"
TASK: Final = "task"
#: ``todo_source`` of interactions; legacy links name another module.
INTERACTION_TODO_SOURCE: Final = "customers:interaction"

#: Columns of every view, in this order.
COLUMNS: Final = (
    "id", "entity_id", "deal_id", "interaction_type", "title", "body", "status", "scheduled_at",
    "occurred_at", "priority", "author_user_id", "owner_user_id", "appearance_icon", "appearance_color",
    "source", "version", "created_at", "updated_at", "todo_id", "todo_source",
)  # fmt: skip

_INTERACTION_COLUMNS: Final = ", ".join(f"i.{name}" for name in COLUMNS[:-2])
_ACTIVITY: Final = "coalesce(i.source, '') IN ('adapter:activity', 'migration:activity')"
_TODO: Final = "coalesce(i.source, '') IN ('adapter:todo', 'migration:todo_link')"
# A row that came through an old route stays in that route's list. Otherwise a task is a todo and not an
# activity. Any other type is an activity, and also a todo if its dictionary entry is actionable.
_ACTIONABLE: Final = "(i.interaction_type = 'task' OR coalesce(t.actionable, true))"
_FILTERS: Final[dict[View, str]] = {
    "interactions": "true",
    "activities": f"({_ACTIVITY} OR (i.interaction_type <> 'task' AND NOT {_TODO}))",
    "todos": f"({_TODO} OR (NOT {_ACTIVITY} AND {_ACTIONABLE}))",
}
_HIDDEN: Final = """
  NOT EXISTS (SELECT 1 FROM customer_interactions x WHERE x.id = {id})
  AND NOT EXISTS (SELECT 1 FROM journal r
                  WHERE r.interaction_id = {id} AND r.retired_version IS NOT NULL)
"""
# Hazard: psycopg fails on infinity and on years outside Python's range, which would fail the whole list.
_SHOWABLE: Final = "CASE WHEN {0} BETWEEN '0001-01-03Z' AND '9999-12-29Z' THEN {0} END"
_OCCURRED: Final = _SHOWABLE.format("l.occurred_at")
_CREATED: Final = f"coalesce({_SHOWABLE.format('l.created_at')}, '1970-01-01Z')"
_UPDATED: Final = f"coalesce({_SHOWABLE.format('l.updated_at')}, '1970-01-01Z')"
_LEGACY_ACTIVITIES: Final = f"""
SELECT l.id, l.entity_id, l.deal_id, l.activity_type, l.subject, l.body,
       CASE WHEN l.occurred_at IS NULL THEN 'planned' ELSE 'done' END, NULL::timestamptz, {_OCCURRED},
       NULL::integer, l.author_user_id, NULL::uuid, l.appearance_icon, l.appearance_color,
       '{LEGACY_ACTIVITY}', 0::bigint, {_CREATED}, {_UPDATED}, l.id, '{INTERACTION_TODO_SOURCE}'
FROM customer_activities l
WHERE l.tenant_id = %(tenant)s AND l.organization_id = %(organization)s
  AND {_HIDDEN.format(id="l.id")}
"""  # noqa: S608 - constant texts
# A link stores the id and source of its todo only. The rest belongs to another module.
_LEGACY_TODOS: Final = f"""
SELECT l.id, l.entity_id, NULL::uuid, '{TASK}', 'Task from ' || l.todo_source, NULL::text, 'planned',
       NULL::timestamptz, NULL::timestamptz, NULL::integer, l.created_by_user_id, NULL::uuid, NULL::text,
       NULL::text, '{LEGACY_TODO}', 0::bigint, {_CREATED}, {_CREATED}, l.todo_id, l.todo_source
FROM customer_todo_links l
WHERE l.tenant_id = %(tenant)s AND l.organization_id = %(organization)s
  AND {_HIDDEN.format(id="l.id")} AND {_HIDDEN.format(id="l.todo_id")}
"""  # noqa: S608 - constant texts
_LEGACY: Final[dict[View, tuple[str, ...]]] = {
    "interactions": (_LEGACY_ACTIVITIES, _LEGACY_TODOS),
    "activities": (_LEGACY_ACTIVITIES,),
    "todos": (_LEGACY_TODOS,),
}


def view_sql(view: View, *, legacy: bool, of_entity: bool = False) -> str:
    """A subquery with ``COLUMNS`` and the parameters ``tenant`` and ``organization``.

    :param legacy: include the rows of the legacy tables that are not moved yet.
    :param of_entity: only rows of the parameter ``entity``.
    """
    types = (
        " LEFT JOIN interaction_types t ON t.tenant_id = i.tenant_id"
        " AND t.organization_id = i.organization_id AND t.code = i.interaction_type"
        if view == "todos"
        else ""
    )
    parts = [
        f"SELECT {_INTERACTION_COLUMNS}, i.id AS todo_id, '{INTERACTION_TODO_SOURCE}' AS todo_source"  # noqa: S608 - constant texts
        f" FROM customer_interactions i{types}"
        f" WHERE i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s AND {_FILTERS[view]}"
        + (" AND i.entity_id = %(entity)s" if of_entity else "")
    ]
    if legacy:
        parts += [text + (" AND l.entity_id = %(entity)s" if of_entity else "") for text in _LEGACY[view]]
    return " UNION ALL ".join(f"({part})" for part in parts)


def legacy_sql(view: View) -> str:
    """A subquery of the view's legacy rows, in the order of ``COLUMNS`` but without column names."""
    return " UNION ALL ".join(_LEGACY[view])
