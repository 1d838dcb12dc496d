"""``/backend/customers/people`` and ``/companies``: the list, and one customer with tasks and activities."""

from __future__ import annotations

from typing import Any, Final, Literal

from fastapi import Request, Response

from api.authorization import require_features
from api.principal import Principal
from api.queries.customer_detail import deals_of, entity
from api.queries.customers import CustomerQuery, customers
from api.queries.explain import candidates
from api.queries.interaction_list import Filters, Page, interaction_page
from api.queries.people import people_seen
from api.queries.scope import Connection
from api.queries.task_list import ALL_TASKS, task_counts
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.values import UuidText
from sinks.flags import awaits_validation_async
from sinks.task_filter import TaskFilters
from web.day import Due
from web.dictionary import types_of
from web.filters import owner_filter, text_filter
from web.mirrors import mirrors_by_row
from web.notice import notice_of
from web.page_route import page_router, target_of
from web.paging import after_of, last_of
from web.rendering import query, render
from web.snooze import default_time
from web.viewer import Viewer, viewer_of

router = page_router()
KINDS: Final[dict[str, Literal["person", "company"]]] = {"people": "person", "companies": "company"}
_PAGE: Final = 50
#: Interactions of each list on a customer's page.
_ROWS: Final = 24
_SHOWN: Final = ("open", "none")
_VIEW: Final = require_features("customers.view")


@router.get("/backend/customers/{kind}")
async def customer_list(
    kind: Literal["people", "companies"],
    request: Request,
    services: ServicesDep,
    principal: Principal = _VIEW,
) -> Response:
    """Customers by their next interaction: overdue ones first, those without one last."""
    viewer = viewer_of(request, principal)
    search = text_filter(request.query_params.get("q"))
    owner, shown = request.query_params.get("owner"), request.query_params.get("show")
    wanted = CustomerQuery(
        kind=KINDS[kind],
        limit=_PAGE,
        sort_field="nextInteractionAt",
        sort_dir="asc",
        now=viewer.days.now,
        search=search,
        owner_user_id=owner_filter(owner, viewer.user_id),
        has_next={"open": True, "none": False}.get(shown or ""),
        after=after_of(request),
    )
    async with services.reads.connection() as connection:
        rows = await customers(connection, principal.scope, wanted)
        notice = await notice_of(request, viewer, connection)
        old_rows = await awaits_validation_async(connection, principal.tenant_id)
    path = f"/backend/customers/{kind}"
    kept = {"q": search, "owner": owner, "show": shown if shown in _SHOWN else None}
    more = None
    if len(rows) > _PAGE:
        more = query(path, **kept, **last_of(rows[:_PAGE]))
    return render(
        "customers.html",
        viewer,
        kind=kind,
        rows=rows[:_PAGE],
        more=more,
        kept=kept,
        notice=notice,
        old_rows=old_rows,
        back=target_of(request),
    )


@router.get("/backend/customers/{kind}/{entity_id}")
async def customer(
    kind: Literal["people", "companies"],
    entity_id: UuidText,
    request: Request,
    services: ServicesDep,
    principal: Principal = _VIEW,
) -> Response:
    """One customer: what is planned, on top and never paged away, and what took place."""
    viewer = viewer_of(request, principal)
    async with services.reads.connection() as connection:
        values = await _detail(connection, request, viewer, entity_id, KINDS[kind])
        people = await people_seen(connection, principal.scope)
        notice = await notice_of(request, viewer, connection)
        old_rows = await awaits_validation_async(connection, principal.tenant_id)
    return render(
        "customer.html",
        viewer,
        kind=kind,
        notice=notice,
        old_rows=old_rows,
        back=target_of(request),
        suggested=default_time(viewer.days),
        people=people,
        **values,
    )


async def _detail(
    connection: Connection, request: Request, viewer: Viewer, entity_id: str, kind: str
) -> dict[str, Any]:
    tab = "activities" if request.query_params.get("tab") == "activities" else "tasks"
    scope = viewer.principal.scope
    found = await entity(connection, scope, entity_id)
    if found is None or found["kind"] != kind:
        raise Reject("customer_not_found", "There is no customer with this id.", status=404)
    types = await types_of(connection, scope)
    codes = types.actionable if tab == "tasks" else None
    planned, more_planned = await interaction_page(
        connection,
        scope,
        Filters(entity_id=entity_id, statuses=("planned",), interaction_types=codes),
        Page(sort="scheduledAt", direction="asc", limit=_ROWS, after=after_of(request, "planned-")),
    )
    open_tasks = TaskFilters(entity_id=entity_id, interaction_types=codes)
    count = sum((await task_counts(connection, scope, open_tasks, ALL_TASKS)).values())
    ended, more_ended = await interaction_page(
        connection,
        scope,
        Filters(entity_id=entity_id, statuses=("done", "canceled"), interaction_types=codes),
        Page(sort="updatedAt", direction="desc", limit=_ROWS, after=after_of(request, "ended-")),
    )
    mirrors = await mirrors_by_row(connection, viewer.principal, [*planned, *ended])
    deals = await deals_of(connection, scope, entity_id)
    contenders, others = await candidates(connection, scope, entity_id, 5)
    late = {Due.OVERDUE.value: viewer.days.ranges()[Due.OVERDUE]}
    overdue = (await task_counts(connection, scope, TaskFilters(entity_id=entity_id), late))[Due.OVERDUE]
    return {
        "overdue": overdue,
        "customer": found,
        "tab": tab,
        "types": types,
        "planned": planned,
        "planned_count": count,
        "more_planned": last_of(planned, "planned-") if more_planned else None,
        "ended": ended,
        "more_ended": last_of(ended, "ended-") if more_ended else None,
        "mirrors": mirrors,
        "deals": deals,
        "contenders": contenders,
        "others": others,
    }
