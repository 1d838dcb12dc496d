"""The work list: planned interactions of all customers by day, those done lately, and counts of both.

Within a day of the viewer, the most important come first. Counts and pages share one WHERE clause, so that a
count equals the list that it opens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from api.queries.interaction_list import COLUMNS, JOINS
from api.queries.scope import Connection, Row, Scope, fetch
from sinks.task_filter import Range, TaskFilters, range_conditions

#: Tasks with any date, and those without one.
ALL_TASKS: Final[Mapping[str, Range | None]] = {"dated": (None, None), "undated": None}
#: Ascending rank of a task within its day: by priority, those without one at the end.
_RANK: Final = "coalesce(-i.priority, 1)"
#: End of the day on which a page of ``limit`` rows is full at the latest, even if all before are skipped.
_HORIZON: Final = """
i.scheduled_at < coalesce((
  SELECT {end} FROM {tables} WHERE {conditions} ORDER BY i.scheduled_at OFFSET %(limit)s LIMIT 1), 'infinity')
"""


@dataclass(frozen=True, slots=True)
class Position:
    """Place of a task in the list.

    :ivar moment: its date or, without one, its creation.
    :ivar rank: column ``rank`` of its row.
    """

    moment: datetime
    rank: int
    id: str

    def values(self, name: str) -> dict[str, Any]:
        """Parameters of ``_place_key``."""
        return {f"{name}_moment": self.moment, f"{name}_rank": self.rank, f"{name}_id": self.id}


def position_of(row: Row) -> Position:
    """Place of a row of a page."""
    return Position(row["scheduled_at"] or row["created_at"], row["rank"], row["id"])


def _day(moment: str) -> str:
    """The viewer's day of an instant."""
    return f"({moment} AT TIME ZONE %(zone)s)::date"


def _begin(day: str) -> str:
    """The first instant of a day of the viewer."""
    return f"({day})::timestamp AT TIME ZONE %(zone)s"


def _sort_key(range_: Range | None, moment: str, rank: str, identity: str) -> str:
    """Columns of the order: the day, if there are dates, and those that decide within it."""
    within = f"{rank}, {moment}, {identity}"
    return f"{_day(moment)}, {within}" if range_ is not None else within


def _row_key(range_: Range | None) -> str:
    return _sort_key(range_, "i.scheduled_at" if range_ is not None else "i.created_at", _RANK, "i.id")


def _place_key(range_: Range | None, name: str) -> str:
    moment, rank = f"%({name}_moment)s::timestamptz", f"%({name}_rank)s::integer"
    return _sort_key(range_, moment, rank, f"%({name}_id)s::uuid")


async def task_page(
    connection: Connection,
    scope: Scope,
    filters: TaskFilters,
    range_: Range | None,
    *,
    zone: ZoneInfo,
    limit: int,
    after: Position | None = None,
) -> list[Row]:
    """Interactions of a range by day and priority, and one more than ``limit`` if more follow.

    :param range_: ``None`` for those without a date, by priority.
    :param after: place of the last row of the previous page.
    """
    conditions, values = filters.conditions(scope.tenant_id, scope.organization_id)
    order = _row_key(range_)
    conditions += range_conditions(range_, values)
    if range_ is not None:
        # Only the days on the page are sorted.
        ahead = list(conditions)
        if after is not None:
            day = _day("%(after_moment)s::timestamptz")
            conditions.append(f"i.scheduled_at >= {_begin(day)}")
            ahead.append(f"i.scheduled_at >= {_begin(f'{day} + 1')}")
        end = _begin(f"{_day('i.scheduled_at')} + 1")
        conditions.append(_HORIZON.format(end=end, tables=filters.tables, conditions=" AND ".join(ahead)))
    if after is not None:
        conditions.append(f"({order}) > ({_place_key(range_, 'after')})")
        values |= after.values("after")
    statement = f"""
    SELECT {COLUMNS}, e.display_name AS entity_name, e.kind AS entity_kind, {_RANK} AS rank
    FROM (
      SELECT i.id FROM {filters.tables} WHERE {" AND ".join(conditions)}
      ORDER BY {order} LIMIT %(limit)s + 1) page
    JOIN customer_interactions i ON i.id = page.id
    JOIN customer_entities e ON e.id = i.entity_id
     AND e.tenant_id = i.tenant_id AND e.organization_id = i.organization_id
    {JOINS}
    ORDER BY {order}
    """  # noqa: S608 - constant texts
    return await fetch(connection, statement, {**values, "zone": zone.key, "limit": limit})


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
    zone: ZoneInfo,
    since: datetime,
    after: Position | None,
    until: Position | None,
) -> int:
    """Number of interactions between two places that were completed or canceled since an instant."""
    conditions, values = filters.conditions(scope.tenant_id, scope.organization_id, planned=False)
    conditions += [*range_conditions(range_, values), "i.updated_at > %(since)s"]
    for name, operator, bound in (("after", ">", after), ("until", "<", until)):
        if bound is not None:
            conditions.append(f"({_row_key(range_)}) {operator} ({_place_key(range_, name)})")
            values |= bound.values(name)
    statement = f"SELECT count(*) AS n FROM {filters.tables} WHERE {' AND '.join(conditions)}"  # noqa: S608
    (row,) = await fetch(connection, statement, {**values, "since": since, "zone": zone.key})
    return int(row["n"])
