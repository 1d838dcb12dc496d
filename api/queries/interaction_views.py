"""The three views over interactions (all, activities, todos), with the legacy rows until they are moved.

A legacy row is shown until an interaction has its id. If that interaction is deleted, the row stays hidden:
the journal keeps the versions of deleted interactions.
"""

from __future__ import annotations

from typing import Final, Literal

from domain.legacy_rows import CANCELED, DONE, TASK
from sinks.legacy_rows import MOVED, SHAPES, Kind, deleted

View = Literal["interactions", "activities", "todos"]

#: ``source`` of a link whose todo is not known.
LEGACY_TODO: Final = "legacy:todo_link"
#: ``todo_source`` of interactions; legacy links name another module.
INTERACTION_TODO_SOURCE: Final = "customers:interaction"

#: Columns of every view, in this order.
COLUMNS: Final = (
    "id", "entity_id", "deal_id", "interaction_type", "title", "body", "feedback", "status",
    "scheduled_at", "occurred_at", "priority", "author_user_id", "owner_user_id", "appearance_icon",
    "appearance_color", "source", "version", "created_at", "updated_at", "todo_id", "todo_source",
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
# For people, a legacy row is shown as it will be moved; its priority only if it is a number.
_LEGACY_COLUMNS: Final = f"""
r.id::uuid, r.entity_id::uuid, r.deal_id::uuid, r.interaction_type,
coalesce(r.title, CASE WHEN r.kind = 'todo' THEN 'Task from ' || r.todo_source END), r.body,
NULL::text,
CASE WHEN lower(trim(r.status)) IN {DONE} THEN 'done' WHEN lower(trim(r.status)) IN {CANCELED} THEN 'canceled'
  ELSE 'planned' END,
r.scheduled_at, r.occurred_at,
CASE WHEN r.priority ~ '^[0-9]{{1,3}}$' THEN least(100, r.priority::integer) END,
r.author_user_id::uuid, r.owner_user_id::uuid, r.appearance_icon, r.appearance_color,
CASE WHEN r.found THEN 'legacy:' || r.kind ELSE '{LEGACY_TODO}' END, 0::bigint,
coalesce(r.created_at, '1970-01-01Z'), coalesce(r.updated_at, '1970-01-01Z'),
coalesce(r.todo_id::uuid, r.id::uuid), coalesce(r.todo_source, '{INTERACTION_TODO_SOURCE}')
"""
_LEGACY: Final[dict[View, tuple[tuple[Kind, str], ...]]] = {
    "interactions": (("activity", "true"), ("todo", "true"), ("interaction", "true")),
    "activities": (("activity", "true"), ("interaction", f"l.interaction_type <> '{TASK}'")),
    "todos": (("todo", "true"), ("interaction", f"l.interaction_type = '{TASK}'")),
}


def _legacy_parts(view: View, *, of_entity: bool = False) -> list[str]:
    """Subqueries of the legacy rows of a view that are neither moved nor hidden."""
    scope = "l.tenant_id = %(tenant)s AND l.organization_id = %(organization)s"
    entity = " AND l.entity_id = %(entity)s" if of_entity else ""
    return [
        f"SELECT {_LEGACY_COLUMNS} FROM ({SHAPES[kind]} WHERE {scope} AND {condition}{entity}) r"  # noqa: S608
        f" WHERE NOT r.superseded AND NOT r.repeated AND NOT {MOVED} AND NOT {deleted('r.id::uuid')}"
        for kind, condition in _LEGACY[view]
    ]


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
        parts += _legacy_parts(view, of_entity=of_entity)
    return " UNION ALL ".join(f"({part})" for part in parts)


def legacy_sql(view: View) -> str:
    """A subquery of the view's legacy rows, in the order of ``COLUMNS`` but without column names."""
    return " UNION ALL ".join(_legacy_parts(view))
