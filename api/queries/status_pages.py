"""Keyset pages of tables that are listed by status and time: one statement, along an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.queries.keyset import After, Direction, order_sql
from api.queries.scope import Connection, Row, Scope, fetch
from schemas.events import Published


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedTable:
    """A table with an index on tenant, organization, status, a time and the id.

    :param columns: of a row in the response; ``columns_of``.
    :param time: the column of the index.
    :param statuses: all of them.
    :param conditions: filter → its condition, with a parameter of the filter's name.
    """

    name: str
    columns: str
    time: str
    statuses: tuple[str, ...]
    conditions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusPage:
    """Filters, sort, direction and position of a page.

    :param sort: a time column that is never NULL.
    :param statuses: ``None`` for any.
    :param filters: names of ``ListedTable.conditions`` → values; ``None`` does not filter.
    """

    sort: str
    direction: Direction
    limit: int
    after: After | None
    statuses: tuple[str, ...] | None
    filters: Mapping[str, Any]


async def rows_of_page(
    connection: Connection, scope: Scope, table: ListedTable, page: StatusPage
) -> tuple[list[Row], bool]:
    """The rows of one page, and whether more follow. Rows have the columns of the table and ``sort_key``."""
    conditions, parameters = _where(scope, table, page.filters)
    parameters["rows"] = page.limit + 1
    if page.after is not None:
        parameters |= {"after_key": page.after.key, "after_id": page.after.id}
        sign = ">" if page.direction == "asc" else "<"
        conditions.append(f"({page.sort}, id) {sign} (%(after_key)s, %(after_id)s::uuid)")
    # Each branch fixes the status, so that the index returns it in order.
    branches = [
        f"(SELECT id, {page.sort} AS sort_key FROM {table.name}"  # noqa: S608 - constant texts
        f" WHERE {' AND '.join([*conditions, *status])}"
        f" ORDER BY {order_sql(page.sort, 'id', page.direction)} LIMIT %(rows)s)"
        for status in _fixed_statuses(table, page)
    ]
    statement = f"""
    SELECT {table.columns}, p.sort_key
    FROM (SELECT id, sort_key FROM ({" UNION ALL ".join(branches)}) b
          ORDER BY {order_sql("sort_key", "id", page.direction)} LIMIT %(rows)s) p
    JOIN {table.name} r ON r.id = p.id
    WHERE r.tenant_id = %(tenant)s AND r.organization_id = %(organization)s
    ORDER BY {order_sql("p.sort_key", "p.id", page.direction)}
    """  # noqa: S608 - constant texts
    rows = await fetch(connection, statement, parameters)
    return rows[: page.limit], len(rows) > page.limit


async def count_of_statuses(
    connection: Connection,
    scope: Scope,
    table: ListedTable,
    statuses: tuple[str, ...],
    filters: Mapping[str, Any],
) -> int:
    """Number of rows that the pages with these statuses and filters list.

    Give it only statuses of unfinished rows, whose number the work of people bounds.
    """
    conditions, parameters = _where(scope, table, filters)
    statement = (
        f"SELECT count(*) AS rows FROM {table.name}"  # noqa: S608 - constant texts
        f" WHERE {' AND '.join(conditions)} AND status = ANY(%(statuses)s)"
    )
    (row,) = await fetch(connection, statement, {**parameters, "statuses": list(statuses)})
    return int(row["rows"])


async def row_by_id(connection: Connection, scope: Scope, table: ListedTable, row_id: str) -> Row | None:
    """One row; ``None`` if this scope does not contain it."""
    statement = f"""
    SELECT {table.columns} FROM {table.name} r
    WHERE r.id = %(id)s AND r.tenant_id = %(tenant)s AND r.organization_id = %(organization)s
    """  # noqa: S608 - constant texts
    rows = await fetch(connection, statement, {**scope.parameters(), "id": row_id})
    return rows[0] if rows else None


def columns_of(snapshot: type[Published], alias: str = "r") -> str:
    """The columns of a published snapshot, with ids as text."""
    return ", ".join(
        f"{alias}.{name}::text AS {name}" if name == "id" or name.endswith("_id") else f"{alias}.{name}"
        for name in snapshot.model_fields
    )


def _where(scope: Scope, table: ListedTable, filters: Mapping[str, Any]) -> tuple[list[str], dict[str, Any]]:
    given = {name: value for name, value in filters.items() if value is not None}
    parameters: dict[str, Any] = {
        **scope.parameters(),
        **{name: list(value) if isinstance(value, tuple) else value for name, value in given.items()},
    }
    conditions = ["tenant_id = %(tenant)s", "organization_id = %(organization)s"]
    return conditions + [table.conditions[name] for name in given], parameters


def _fixed_statuses(table: ListedTable, page: StatusPage) -> Sequence[tuple[str, ...]]:
    if page.statuses is None and page.sort != table.time:
        return [()]
    # Constant texts: a status that the table does not have is dropped.
    wanted = table.statuses if page.statuses is None else page.statuses
    return [(f"status = '{status}'",) for status in table.statuses if status in wanted]
