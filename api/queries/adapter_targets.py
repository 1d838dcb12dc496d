"""Find the row that an old client names: an interaction, or a legacy row that is not moved yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from api.queries.interaction_views import COLUMNS, view_sql
from api.queries.scope import Connection, Row, Scope, fetch

_IDS: Final = ("id", "entity_id", "deal_id", "author_user_id", "owner_user_id", "todo_id")
_SHOWN: Final = ", ".join(f"v.{name}::text AS {name}" if name in _IDS else f"v.{name}" for name in COLUMNS)
# A todo of several links of one customer is one interaction: under the id of the first link, or of the todo.
_OF_LINKS: Final = """
SELECT unnest(ARRAY[f.id, l.todo_id]) FROM customer_todo_links l
JOIN customer_todo_links f ON f.tenant_id = l.tenant_id AND f.organization_id = l.organization_id
  AND f.todo_id = l.todo_id AND (f.entity_id = l.entity_id OR l.todo_id = %(id)s)
WHERE l.tenant_id = %(tenant)s AND l.organization_id = %(organization)s
  AND (l.id = %(id)s OR l.todo_id = %(id)s)
"""


@dataclass(frozen=True, slots=True)
class Target:
    """A row that was found.

    :param row: the columns of the views, ids as text.
    :param moved: true for an interaction; false for a legacy row, which must be moved first.
    """

    row: Row
    moved: bool


async def find_target(
    connection: Connection,
    scope: Scope,
    named: str,
    view: Literal["activities", "todos"],
    *,
    legacy: bool,
) -> Target | None:
    """Find by the interaction's id or, in the legacy tables, by the id of the row or of the linked todo.

    One statement. A linked todo that is moved already is found by the id of each of its links, also of a
    repeated one.

    :param view: the list that must contain the row.
    """
    values: dict[str, Any] = {**scope.parameters(), "id": named}
    links = f" OR v.id IN ({_OF_LINKS})" if view == "todos" else ""
    rows = await fetch(
        connection,
        f"SELECT {_SHOWN} FROM ({view_sql(view, legacy=legacy)}) v"  # noqa: S608 - constant texts
        f" WHERE v.id = %(id)s OR v.todo_id = %(id)s{links} ORDER BY v.id = %(id)s DESC, v.id LIMIT 1",
        values,
    )
    if not rows:
        return None
    return Target(rows[0], moved=not str(rows[0]["source"] or "").startswith("legacy:"))
