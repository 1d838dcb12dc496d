"""``/api/customers/activities`` (deprecated): old formats over interactions (spec "Compatibility")."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.adapters.deprecation import DELETE_BODY, deprecation_headers, documented, refuse_when_off
from api.adapters.execute import execute
from api.adapters.old_bodies import ActivityCreate, ActivityUpdate
from api.adapters.old_items import activity, page
from api.adapters.translation import create_activity, delete, update_activity
from api.adapters.writing import author_of, check_scope, execute_on_target, ids_to_delete, target_of
from api.authorization import authorized_router, require_features
from api.feature_flags import legacy_shows
from api.interaction_items import enriched, mirrors_of
from api.preconditions import preconditions_of
from api.principal import Principal
from api.queries.old_lists import OldListQuery, old_list
from api.response_models import Created, Done, responses_of
from api.routes.deprecated_models import ActivityPage
from api.services import ServicesDep
from api.write_responses import write_response
from runtime.gateway_settings import GatewaySettings
from schemas.type_codes import normalize_interaction_type
from schemas.values import UuidText

router = authorized_router("activities (deprecated)")
PATH: Final = "/api/customers/activities"


def extra_headers(settings: GatewaySettings) -> dict[str, dict[str, str]]:
    """Deprecation headers for every response of the route."""
    return {PATH: deprecation_headers(settings)}


class ActivityQuery(BaseModel):
    """Page and filters with the names that old clients use. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="ignore")

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 50
    entity_id: UuidText | None = None
    deal_id: UuidText | None = None
    activity_type: Annotated[str, Field(max_length=100, pattern=r"^[^\x00]*$")] | None = None
    sort_field: Annotated[str, Field(max_length=100)] | None = None
    sort_dir: Literal["asc", "desc"] = "desc"


@router.get(PATH, deprecated=True, responses={**documented(), **responses_of(ActivityPage)})
async def list_activities(
    query: Annotated[ActivityQuery, Query()],
    services: ServicesDep,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """Interactions that are not tasks, newest first, with the legacy rows that are not moved yet."""
    await refuse_when_off(services, principal)
    list_query = OldListQuery(
        page=query.page,
        page_size=query.page_size,
        entity_id=query.entity_id,
        deal_id=query.deal_id,
        activity_type=_types(query.activity_type),
        sort_field=query.sort_field,
        sort_dir=query.sort_dir,
    )
    legacy = await legacy_shows(services, principal)
    async with services.reads.connection() as connection:
        rows, total = await old_list(connection, principal.scope, "activities", list_query, legacy=legacy)
        mirrors = await mirrors_of(connection, principal, rows)
    items = [enriched(activity(row), mirrors) for row in rows]
    return page(items, total=total, number=query.page, size=query.page_size)


def _types(text: str | None) -> tuple[str, ...]:
    """The text and its code: legacy rows store the text, interactions the code."""
    if not text:
        return ()
    try:
        return tuple(dict.fromkeys((text, normalize_interaction_type(text))))
    except ValueError:
        return (text,)


@router.post(PATH, status_code=201, response_model=Created, deprecated=True, responses=documented())
async def add_activity(
    body: ActivityCreate,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.create"),
) -> Response:
    """Log an activity: 201 with its id."""
    await refuse_when_off(services, principal)
    check_scope(body, principal)
    key = preconditions_of(request).idempotency_key
    step = create_activity(body, author_of(principal))
    result = await execute(services, principal, step, key=key, route=f"POST {PATH}")
    return write_response(result, {"id": result["interactionId"]}, 201)


@router.put(PATH, response_model=Done, deprecated=True, responses=documented())
async def change_activity(
    body: ActivityUpdate,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change an activity."""
    await refuse_when_off(services, principal)
    check_scope(body, principal)
    target = await target_of(services, request, principal, (body.id,), "activities")
    step = update_activity(target.row, body, datetime.now(UTC))
    return write_response(await execute_on_target(services, principal, target, step), {"ok": True})


@router.delete(PATH, response_model=Done, deprecated=True, responses=documented(), openapi_extra=DELETE_BODY)
async def remove_activity(
    request: Request,
    services: ServicesDep,
    id: Annotated[str | None, Query(max_length=100)] = None,  # noqa: A002, ARG001 - its name; read below
    principal: Principal = require_features("customers.delete"),
) -> Response:
    """Delete an activity. Its id is in the body (``{"id": …}``) or in ``?id=``."""
    await refuse_when_off(services, principal)
    target = await target_of(
        services, request, principal, await ids_to_delete(request, principal), "activities"
    )
    return write_response(
        await execute_on_target(services, principal, target, delete(target.row)), {"ok": True}
    )
