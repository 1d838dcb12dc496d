"""``/backend/customer-tasks``: the work list, grouped by the viewer's days."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from fastapi import Request, Response

from api.authorization import require_features
from api.principal import Principal
from api.queries.customer_detail import entity
from api.queries.interaction_list import interaction_by_id
from api.queries.people import people_seen
from api.queries.scope import Connection, Row
from api.queries.task_list import position_of, task_counts, task_page
from api.services import ServicesDep
from sinks.flags import awaits_validation_async
from sinks.task_filter import Range, TaskFilters
from web.bulk import bulk_of, results_of
from web.day import Due
from web.dictionary import Types, types_of
from web.filters import owner_filter, text_filter, uuid_filter
from web.notice import Notice, notice_of
from web.own_day import DONE, DUE, until_tonight
from web.page_route import page_router, target_of
from web.rendering import query, render, with_parameters
from web.task_position import parameters_of, place_of
from web.viewer import Viewer, owner_id, viewer_of

router = page_router()
PATH: Final = "/backend/customer-tasks"
#: Rows of a group on the page of all groups, and of a page of one group or of what is due.
_PREVIEW: Final = 4
_PAGE: Final = 24
#: Parameter ``group`` → the groups that are shown.
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    **{name.value: (name.value,) for name in Due},
    DUE: (Due.OVERDUE.value, Due.TODAY.value),
    DONE: (DONE,),
}
_ENDING: Final = frozenset({"interaction.complete", "interaction.cancel"})


@router.get(PATH)
async def tasks(
    request: Request, services: ServicesDep, principal: Principal = require_features("customers.view")
) -> Response:
    """All groups with their first rows, one group in pages, what is due, or what was done today."""
    viewer = viewer_of(request, principal)
    chosen = request.query_params.get("group")
    names = _NAMES.get(chosen or "")
    async with services.reads.connection() as connection:
        types = await types_of(connection, principal.scope)
        filters = filters_of(request, principal, types)
        ranges = ranges_of(viewer)
        counts = await task_counts(connection, principal.scope, filters, ranges)
        done = replace(filters, done_since=viewer.days.today)
        shown = dict(counts)
        if chosen == DONE:
            ranges = {DONE: until_tonight(viewer.days)}
            shown = await task_counts(connection, principal.scope, done, ranges)
        kept = kept_of(request)
        groups: list[dict[str, Any]] = []
        for name in names or ranges:
            if shown[name] == 0:
                continue
            # A page of several groups begins with the first row of each.
            after = place_of(request) if names == (name,) else None
            limit = _PAGE // len(names) if names else _PREVIEW
            wanted = done if name == DONE else filters
            rows = await task_page(
                connection,
                principal.scope,
                wanted,
                ranges[name],
                zone=viewer.days.zone,
                limit=limit,
                after=after,
            )
            more = None
            if len(rows) > limit:
                place = parameters_of(position_of(rows[limit - 1])) if names else {}
                more = query(PATH, group=name, **kept, **place)
            groups.append({"name": name, "rows": rows[:limit], "more": more, "count": shown[name]})
        people = await people_seen(connection, principal.scope)
        notice = await notice_of(request, viewer, connection)
        old_rows = await awaits_validation_async(connection, principal.tenant_id)
        ended = await _just_ended(connection, principal, notice)
        results_found = await results_of(bulk_of(request.query_params.get("bulk")), viewer, connection)
    return render(
        "tasks.html",
        viewer,
        people=people,
        notice=notice,
        old_rows=old_rows,
        ended=ended,
        results_found=results_found,
        shown=[row["id"] for it in groups for row in it["rows"]],
        # All that match are those of one group or of all groups.
        matching=sum(counts.values()) if names is None else counts.get(chosen or "", 0),
        address=target_of(request),
        # Without the results, whose name is long and would be in every row.
        back=with_parameters(target_of(request), {}, drop=("bulk",)),
        groups=groups,
        counts=counts,
        chosen=chosen if names else None,
        chosen_count=sum(shown[name] for name in names) if names else 0,
        kept=kept,
        types=types,
        total=sum(counts.values()),
    )


def group_of(request: Request) -> Due | None:
    """The group that the address chooses."""
    chosen = request.query_params.get("group")
    return Due(chosen) if chosen in set(Due) else None


def filters_of(request: Request, principal: Principal, types: Types) -> TaskFilters:
    """The filters of the address."""
    owner = request.query_params.get("owner")
    return TaskFilters(
        interaction_types=types.actionable,
        owner_user_id=owner_filter(owner, owner_id(principal)),
        interaction_type=text_filter(request.query_params.get("type")),
        entity_id=uuid_filter(request.query_params.get("customer")),
        search=text_filter(request.query_params.get("q")),
    )


def kept_of(request: Request) -> dict[str, str | None]:
    """Parameters of the filters, for the addresses on the page."""
    return {name: request.query_params.get(name) for name in ("owner", "type", "customer", "q")}


def filtered(path: str, request: Request) -> str:
    """A path with the group and the filters of the address."""
    return query(path, group=group_of(request), **kept_of(request))


def ranges_of(viewer: Viewer) -> dict[str, Range | None]:
    """Date ranges of the groups; the one without dates has none."""
    return {**{name.value: range_ for name, range_ in viewer.days.ranges().items()}, Due.NO_DATE.value: None}


async def _just_ended(connection: Connection, principal: Principal, notice: Notice | None) -> Row | None:
    """The task that the viewer's last command ended: it stays in sight, with its way back."""
    if notice is None or notice.interaction_id is None or notice.kind not in _ENDING:
        return None
    row = await interaction_by_id(connection, principal.scope, notice.interaction_id)
    customer = await entity(connection, principal.scope, row["entity_id"]) if row is not None else None
    if row is None or customer is None or row["status"] == "planned":
        return None
    return {**row, "entity_name": customer["display_name"], "entity_kind": customer["kind"]}
