"""``/backend/customer-tasks``: the work list, grouped by the viewer's days."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from fastapi import Request, Response

from api.authorization import require_features
from api.principal import Principal
from api.queries.keyset import After
from api.queries.task_list import Range, TaskFilters, task_counts, task_page
from api.services import ServicesDep
from web.day import Due
from web.dictionary import types_of
from web.filters import text_filter, uuid_filter
from web.notice import notice_of
from web.page_route import page_router, target_of
from web.rendering import query, render
from web.viewer import Viewer, viewer_of

router = page_router()
PATH: Final = "/backend/customer-tasks"
#: Rows of a group on the page of all groups, and of a page of one group.
_PREVIEW: Final = 8
_PAGE: Final = 36


@router.get(PATH)
async def tasks(
    request: Request, services: ServicesDep, principal: Principal = require_features("customers.view")
) -> Response:
    """All groups with their first rows, or one group in pages."""
    viewer = viewer_of(request, principal)
    chosen = request.query_params.get("group")
    group = Due(chosen) if chosen in set(Due) else None
    owner = request.query_params.get("owner")
    async with services.reads.connection() as connection:
        types = await types_of(connection, principal.scope)
        filters = TaskFilters(
            interaction_types=types.actionable,
            owner_user_id=principal.subject if owner == "me" else uuid_filter(owner),
            interaction_type=text_filter(request.query_params.get("type")),
            entity_id=uuid_filter(request.query_params.get("customer")),
            search=text_filter(request.query_params.get("q")),
        )
        ranges = ranges_of(viewer)
        counts = await task_counts(connection, principal.scope, filters, ranges)
        groups = []
        for name in Due:
            if counts[name] == 0 or group not in (None, name):
                continue
            after = _after(request) if group is not None else None
            limit = _PAGE if group is not None else _PREVIEW
            rows = await task_page(
                connection, principal.scope, filters, ranges[name], limit=limit, after=after
            )
            groups.append(
                {"name": name, "rows": rows[:limit], "more": _more(request, name, rows, limit, group)}
            )
        notice = await notice_of(request, viewer, connection)
    kept = {k: request.query_params.get(k) for k in ("owner", "type", "customer", "q")}
    return render(
        "tasks.html",
        viewer,
        notice=notice,
        back=target_of(request),
        groups=groups,
        counts=counts,
        chosen=group,
        kept=kept,
        types=types,
        total=sum(counts.values()),
    )


def ranges_of(viewer: Viewer) -> dict[str, Range | None]:
    """Date ranges of the groups; the one without dates has none."""
    return {**{name.value: range_ for name, range_ in viewer.days.ranges().items()}, Due.NO_DATE.value: None}


def _more(request: Request, name: Due, rows: list[Any], limit: int, group: Due | None) -> str | None:
    """Address of the rows that follow, if any do."""
    if len(rows) <= limit:
        return None
    kept: dict[str, Any] = {k: request.query_params.get(k) for k in ("owner", "type", "customer", "q")}
    if group is not None:
        last = rows[limit - 1]
        kept |= {"after": last["sort_key"].isoformat(), "id": last["id"]}
    return query(PATH, group=name.value, **kept)


def _after(request: Request) -> After | None:
    try:
        moment = datetime.fromisoformat(request.query_params.get("after", ""))
    except ValueError:
        return None
    identity = uuid_filter(request.query_params.get("id"))
    return After(moment, identity) if moment.tzinfo is not None and identity is not None else None
