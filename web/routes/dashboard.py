"""``/backend/dashboard``: the viewer's day."""

from __future__ import annotations

from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api.authorization import require_features
from api.principal import Principal
from api.queries.drafts import DRAFTS
from api.queries.people import people_seen
from api.queries.signals import SIGNALS
from api.queries.status_pages import count_of_statuses
from api.queries.task_list import task_counts, task_page
from api.queries.widgets import next_interactions
from api.services import ServicesDep
from sinks.flags import awaits_validation_async
from sinks.task_filter import TaskFilters
from web.dictionary import types_of
from web.notice import notice_of
from web.own_day import own_day
from web.page_route import page_router, target_of
from web.rendering import render
from web.routes import drafts, signals
from web.routes.tasks import ranges_of
from web.viewer import viewer_of

router = page_router()
PATH: Final = "/backend/dashboard"
_ROWS: Final = 8
_VIEW: Final = require_features("customers.view")


@router.get("/backend")
async def home(_principal: Principal = _VIEW) -> Response:
    """The dashboard."""
    return RedirectResponse(PATH, 303)


@router.get("/backend/signed-in")
async def signed_in(request: Request, principal: Principal = _VIEW) -> Response:
    """The end of a sign-in beside a page whose session had ended."""
    return render("signed_in.html", viewer_of(request, principal), back=PATH)


@router.get(PATH)
async def dashboard(request: Request, services: ServicesDep, principal: Principal = _VIEW) -> Response:
    """Widgets: open tasks and next interactions, overdue ones first."""
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        types = await types_of(connection, principal.scope)
        filters = TaskFilters(interaction_types=types.actionable)
        counts = await task_counts(connection, principal.scope, filters, ranges_of(viewer))
        day = await own_day(connection, viewer, types)
        todos = await task_page(
            connection, principal.scope, filters, (None, None), zone=viewer.days.zone, limit=_ROWS
        )
        rows = await next_interactions(
            connection, principal.scope, now=viewer.days.now, limit=_ROWS, include_past=True
        )
        waiting = await count_of_statuses(connection, principal.scope, SIGNALS, signals.TABS["waiting"], {})
        drafted = await count_of_statuses(connection, principal.scope, DRAFTS, drafts.TABS["waiting"], {})
        people = await people_seen(connection, principal.scope)
        notice = await notice_of(request, viewer, connection)
        old_rows = await awaits_validation_async(connection, principal.tenant_id)
    return render(
        "dashboard.html",
        viewer,
        people=people,
        notice=notice,
        old_rows=old_rows,
        back=target_of(request),
        types=types,
        counts=counts,
        day=day,
        signals=waiting,
        drafts=drafted,
        todos=todos[:_ROWS],
        next_rows=rows,
    )
