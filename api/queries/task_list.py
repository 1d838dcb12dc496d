"""The work list: planned interactions of all customers by date, those done lately, and counts of both.

Counts and pages share one WHERE clause, so that a count equals the list that it opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from api.queries.interaction_list import COLUMNS, JOINS
from api.queries.keyset import After
from api.queries.scope import Connection, Row, Scope, fetch, like

#: Half-open range of dates; ``None`` is unbounded on that side.
Range = tuple[datetime | None, datetime | None]
_CONDITIONS: Final = {
    "owner_user_id": "i.owner_user_id = %(owner_user_id)s",
    "interaction_type": "i.interaction_type = %(interaction_type)s",
    "entity_id": "i.entity_id = %(entity_id)s",
    "search": "(i.title ILIKE %(search)s OR e.display_name ILIKE %(search)s)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFilters:
    """``None`` does not filter.

    :param interaction_types: the codes of the types that count as tasks.
    :param search: case-insensitive part of the title or of the customer's name.
    :param done_since: interactions that were completed since then, instead of planned ones.
    """

    interaction_types: tuple[str, ...] | None = None
    owner_user_id: str | None = None
    interaction_type: str | None = None
    entity_id: str | None = None
    search: str | None = None
    done_since: datetime | None = None


async def task_page(
    connection: Connection,
    scope: Scope,
    filters: TaskFilters,
    range_: Range | None,
    *,
    limit: int,
    after: After | None = None,
) -> list[Row]:
    """Interactions of a range by date, and one more than ``limit`` if more follow.

    :param range_: ``None`` for those without a date, by creation.
    :param after: date (or creation) and id of the last row of the previous page.
    """
    conditions, values = _where(scope, filters)
    column = "i.scheduled_at" if range_ is not None else "i.created_at"
    conditions += _range(range_, values)
    if after is not None:
        conditions.append(f"({column}, i.id) > (%(after_key)s::timestamptz, %(after_id)s::uuid)")
        values |= {"after_key": after.key, "after_id": after.id}
    statement = f"""
    SELECT {COLUMNS}, e.display_name AS entity_name, e.kind AS entity_kind, {column} AS sort_key
    FROM customer_interactions i
    JOIN customer_entities e ON e.id = i.entity_id
     AND e.tenant_id = i.tenant_id AND e.organization_id = i.organization_id
    {JOINS}
    WHERE {" AND ".join(conditions)} ORDER BY {column}, i.id LIMIT %(limit)s
    """  # noqa: S608 - constant texts
    return await fetch(connection, statement, {**values, "limit": limit + 1})


async def task_counts(
    connection: Connection, scope: Scope, filters: TaskFilters, ranges: Mapping[str, Range | None]
) -> dict[str, int]:
    """Number of interactions of each range. One statement. A single range limits the rows that it reads."""
    conditions, values = _where(scope, filters)
    if len(ranges) == 1:
        conditions += _range(next(iter(ranges.values())), values)
    counted = []
    for number, (name, range_) in enumerate(ranges.items()):
        given: dict[str, Any] = {}
        condition = " AND ".join(_range(range_, given)) or "true"
        for parameter, value in given.items():
            condition = condition.replace(f"%({parameter})s", f"%({parameter}_{number})s")
            values[f"{parameter}_{number}"] = value
        counted.append(f'count(*) FILTER (WHERE {condition}) AS "{name}"')
    statement = f"""
    SELECT {", ".join(counted)} FROM customer_interactions i
    {"JOIN customer_entities e ON e.id = i.entity_id" if filters.search else ""}
    WHERE {" AND ".join(conditions)}
    """  # noqa: S608 - constant texts and names of groups
    (row,) = await fetch(connection, statement, values)
    return {name: row[name] for name in ranges}


def _where(scope: Scope, filters: TaskFilters) -> tuple[list[str], dict[str, Any]]:
    conditions = [
        "i.tenant_id = %(tenant)s AND i.organization_id = %(organization)s",
        "i.status = 'planned'" if filters.done_since is None else "i.status = 'done'",
    ]
    values: dict[str, Any] = dict(scope.parameters())
    if filters.done_since is not None:
        conditions.append("i.status_as_of >= %(done_since)s")
        values["done_since"] = filters.done_since
    if filters.interaction_types is not None:
        conditions.append("i.interaction_type = ANY(%(types)s)")
        values["types"] = list(filters.interaction_types)
    for name, condition in _CONDITIONS.items():
        value = getattr(filters, name)
        if value:
            values[name] = like(value) if name == "search" else value
            conditions.append(condition)
    return conditions, values


def _range(range_: Range | None, values: dict[str, Any]) -> list[str]:
    if range_ is None:
        return ["i.scheduled_at IS NULL"]
    conditions = ["i.scheduled_at IS NOT NULL"]
    for name, operator, value in zip(("begin", "end"), (">=", "<"), range_, strict=True):
        if value is not None:
            conditions.append(f"i.scheduled_at {operator} %({name})s")
            values[name] = value
    return conditions
