"""``/backend/customer-tasks/work``: the tasks one after the other; after each action the next one opens.

The address holds the state: the filters, the beginning of the run (``since``), the number of tasks then
(``of``), and the place in the list. With ``open=1`` the task of that place is shown. Tasks whose date is set
after the beginning are not part of the run, so that a snoozed task does not come back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.authorization import require_features
from api.principal import Principal
from api.queries.customer_detail import entity
from api.queries.interaction_list import Filters, Page, interaction_by_id, interaction_page
from api.queries.scope import Connection, Row
from api.queries.task_list import Position, ended_between, position_of, task_counts, task_page
from api.services import ServicesDep
from sinks.task_filter import Range, TaskFilters
from web.dictionary import types_of
from web.notice import notice_of
from web.page_route import page_router, target_of
from web.rendering import render, with_parameters
from web.routes.tasks import PATH, filtered, filters_of, group_of, ranges_of
from web.task_position import parameters_of, place_of
from web.viewer import Viewer, viewer_of

router = page_router()
WORK: Final = PATH + "/work"
_EVERY_DATE: Final[Range] = (None, None)
#: Past interactions of the customer on the page.
_HISTORY: Final = 3
_MOST: Final = 10**7


@dataclass(frozen=True, slots=True)
class _Run:
    """State of a run, from the address.

    :param number: position of the task that is open, or that is to be opened.
    :param place: of the task that is open, or that was open before.
    :param undated: the place is among the tasks without a date.
    """

    filters: TaskFilters
    ranges: tuple[Range | None, ...]
    since: datetime
    number: int
    of: int
    place: Position | None
    undated: bool


@router.get(WORK)
async def work(
    request: Request, services: ServicesDep, principal: Principal = require_features("customers.edit")
) -> Response:
    """One task with its customer and its actions; without one in the address, a redirect to the next."""
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        types = await types_of(connection, principal.scope)
        run = await _run_of(request, viewer, filters_of(request, principal, types), connection)
        opened = request.query_params.get("open") == "1"
        current = run.place.id if run.place is not None and opened else None
        row = await interaction_by_id(connection, principal.scope, current) if current is not None else None
        notice = await notice_of(request, viewer, connection)
        if current is None:
            found = await _next(run, viewer, connection)
            if found is not None:
                return RedirectResponse(_address_of(request, run, *found), 303)
        customer = await entity(connection, principal.scope, row["entity_id"]) if row is not None else None
        history: list[Row] = []
        if customer is not None:
            ended = Filters(entity_id=customer["id"], statuses=("done",))
            page = Page(sort="updatedAt", direction="desc", limit=_HISTORY)
            history, _ = await interaction_page(connection, principal.scope, ended, page)
    following = None
    if current is not None:
        # After the place of the moment when it was opened: since then it may have a new date.
        following = with_parameters(
            target_of(request), {"n": str(run.number + 1)}, drop=("open", "done", "passed")
        )
    return render(
        "task_work.html",
        viewer,
        notice=notice,
        back=target_of(request),
        list_path=filtered(PATH, request),
        following=following,
        run=run,
        passed=_number(request, "passed", 0),
        row=row,
        current=current,
        customer=customer,
        history=history,
        types=types,
    )


async def _run_of(request: Request, viewer: Viewer, filters: TaskFilters, connection: Connection) -> _Run:
    group, ranges = group_of(request), ranges_of(viewer)
    try:
        since = datetime.fromisoformat(request.query_params.get("since", ""))
    except ValueError:
        since = viewer.days.now
    if since.tzinfo is None:
        since = viewer.days.now
    filters = replace(filters, scheduled_until=since)
    of = _number(request, "of", -1)
    if of < 0:
        counts = await task_counts(connection, viewer.principal.scope, filters, ranges)
        of = counts[group.value] if group is not None else sum(counts.values())
    return _Run(
        filters=filters,
        ranges=(_EVERY_DATE, None) if group is None else (ranges[group.value],),
        since=since,
        number=_number(request, "n", 1),
        of=of,
        place=place_of(request),
        undated=request.query_params.get("undated") == "1",
    )


async def _next(run: _Run, viewer: Viewer, connection: Connection) -> tuple[Row, bool, int] | None:
    """The next open task, whether it has no date, and the number of tasks before it that others ended."""
    scope, passed = viewer.principal.scope, 0
    for range_ in run.ranges:
        undated = range_ is None
        if run.undated and not undated:
            continue
        after = run.place if undated == run.undated else None
        zone = viewer.days.zone
        rows = await task_page(connection, scope, run.filters, range_, zone=zone, limit=1, after=after)
        until = position_of(rows[0]) if rows else None
        passed += await ended_between(
            connection, scope, run.filters, range_, zone=zone, since=run.since, after=after, until=until
        )
        if rows:
            return rows[0], undated, passed
    return None


def _address_of(request: Request, run: _Run, row: Row, undated: bool, passed: int) -> str:
    """The address with the task opened."""
    return with_parameters(
        target_of(request),
        {
            "since": run.since.isoformat(),
            "of": str(run.of),
            "n": str(run.number + passed),
            "open": "1",
            **parameters_of(position_of(row)),
            "undated": "1" if undated else None,
            "passed": str(passed) if passed else None,
        },
    )


def _number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, "")
    return int(given) if given.isascii() and given.isdecimal() and int(given[:9]) < _MOST else default
