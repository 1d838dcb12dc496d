"""Keyset pages of a table that is listed by status and time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic.alias_generators import to_snake

from api.cursor import make_cursor, read_cursor
from api.principal import Principal
from api.queries.keyset import Direction
from api.queries.scope import Row
from api.queries.status_pages import ListedTable, StatusPage, rows_of_page
from api.services import Services


async def list_page(
    services: Services,
    principal: Principal,
    table: ListedTable,
    item: Callable[[Row], dict[str, Any]],
    *,
    sort: str,
    direction: Direction,
    statuses: tuple[str, ...] | None,
    filters: dict[str, Any],
    cursor: str | None,
    limit: int,
) -> dict[str, Any]:
    """One page of items, with ``nextCursor`` if more follow.

    :param item: converts a row to its JSON representation.
    :param sort: member of an item: an instant that is never null.
    :raises LegacyError: the cursor is malformed, or belongs to another list.
    """
    bound = {**filters, "statuses": statuses}
    after = read_cursor(cursor, sort, direction, bound, datetime) if cursor is not None else None
    page = StatusPage(
        sort=to_snake(sort),
        direction=direction,
        limit=limit,
        after=after if after is not None and after.key is not None else None,
        statuses=statuses,
        filters=filters,
    )
    async with services.reads.connection() as connection:
        rows, more = await rows_of_page(connection, principal.scope, table, page)
    answer: dict[str, Any] = {"items": [item(row) for row in rows]}
    if more:
        answer["nextCursor"] = make_cursor(sort, direction, bound, rows[-1]["sort_key"], rows[-1]["id"])
    return answer
