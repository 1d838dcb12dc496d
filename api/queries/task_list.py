"""The work list: planned interactions of all customers by date, those done lately, and counts of both.

Counts and pages share one WHERE clause, so that a count equals the list that it opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.queries.interaction_list import COLUMNS, JOINS
from api.queries.keyset import After
from api.queries.scope import Connection, Row, Scope, fetch
from sinks.task_filter import Range, TaskFilters, range_conditions


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
    conditions, values = filters.conditions(scope.tenant_id, scope.organization_id)
    column = "i.scheduled_at" if range_ is not None else "i.created_at"
    conditions += range_conditions(range_, values)
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
    conditions, values = filters.conditions(scope.tenant_id, scope.organization_id)
    if len(ranges) == 1:
        conditions += range_conditions(next(iter(ranges.values())), values)
    counted = []
    for number, (name, range_) in enumerate(ranges.items()):
        given: dict[str, Any] = {}
        condition = " AND ".join(range_conditions(range_, given)) or "true"
        for parameter, value in given.items():
            condition = condition.replace(f"%({parameter})s", f"%({parameter}_{number})s")
            values[f"{parameter}_{number}"] = value
        counted.append(f'count(*) FILTER (WHERE {condition}) AS "{name}"')
    statement = f"""
    SELECT {", ".join(counted)} FROM {filters.tables}
    WHERE {" AND ".join(conditions)}
    """  # noqa: S608 - constant texts and names of groups
    (row,) = await fetch(connection, statement, values)
    return {name: row[name] for name in ranges}


async def ended_between(
    connection: Connection,
    scope: Scope,
    filters: TaskFilters,
    range_: Range | None,
    *,
    since: datetime,
    after: After | None,
    until: After | None,
) -> int:
    """Number of interactions between two tasks that were completed or canceled since an instant.

    :param after: date (or creation) and id of the task before; ``until`` likewise of the one behind.
    """
    conditions, values = filters.conditions(scope.tenant_id, scope.organization_id, planned=False)
    column = "i.scheduled_at" if range_ is not None else "i.created_at"
    conditions += [*range_conditions(range_, values), "i.updated_at > %(since)s"]
    values["since"] = since
    for name, operator, bound in (("after", ">", after), ("until", "<", until)):
        if bound is not None:
            conditions.append(
                f"({column}, i.id) {operator} (%({name}_key)s::timestamptz, %({name}_id)s::uuid)"
            )
            values |= {f"{name}_key": bound.key, f"{name}_id": bound.id}
    statement = f"SELECT count(*) AS n FROM {filters.tables} WHERE {' AND '.join(conditions)}"  # noqa: S608
    (row,) = await fetch(connection, statement, values)
    return int(row["n"])
