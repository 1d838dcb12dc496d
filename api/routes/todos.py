"""``/api/customers/todos`` (deprecated): old formats over interactions (spec "Compatibility")."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query, Request, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from api.adapters.deprecation import DELETE_BODY, deprecation_headers, documented, refuse_when_off
from api.adapters.execute import execute
from api.adapters.old_bodies import TodoCreate, TodoUpdate
from api.adapters.old_items import page, todo
from api.adapters.translation import create_todo, delete, update_todo
from api.adapters.writing import author_of, check_scope, execute_on_target, ids_to_delete, target_of
from api.authorization import authorized_router, require_features
from api.feature_flags import legacy_shows
from api.interaction_items import enriched, mirrors_of
from api.preconditions import preconditions_of
from api.principal import Principal
from api.queries.old_lists import OldListQuery, old_list
from api.response_models import Done, responses_of
from api.routes.deprecated_models import TodoPage
from api.services import ServicesDep
from api.write_responses import write_response
from runtime.gateway_settings import GatewaySettings
from schemas.values import UuidText

router = authorized_router("todos (deprecated)")
PATH: Final = "/api/customers/todos"


def extra_headers(settings: GatewaySettings) -> dict[str, dict[str, str]]:
    """Deprecation headers for every response of the route."""
    return {PATH: deprecation_headers(settings)}


def _truthy(value: Any) -> bool:
    """Report whether the text means true. Any other text, or none, means false."""
    return str(value).strip().lower() in ("true", "1", "yes", "y", "on", "t")


class TodoQuery(BaseModel):
    """Page and filters with the names that old clients use. Unknown parameters are ignored."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="ignore")

    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Field(ge=1, le=100)] = 50
    search: (
        Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=r"^[^\x00]*$")] | None
    ) = None
    all: Annotated[bool, BeforeValidator(_truthy)] = False
    entity_id: UuidText | None = None


class Linked(BaseModel):
    """Both ids of a new todo: the id of its interaction."""

    linkId: str  # noqa: N815
    todoId: str  # noqa: N815


@router.get(PATH, deprecated=True, responses={**documented(), **responses_of(TodoPage)})
async def list_todos(
    query: Annotated[TodoQuery, Query()],
    services: ServicesDep,
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """Interactions that require action, newest first, with the legacy links that are not moved yet."""
    await refuse_when_off(services, principal)
    list_query = OldListQuery(
        page=query.page,
        page_size=query.page_size,
        entity_id=query.entity_id,
        search=query.search,
        sort_field="createdAt",
        everything=query.all,
    )
    legacy = await legacy_shows(services, principal)
    async with services.reads.connection() as connection:
        rows, total = await old_list(connection, principal.scope, "todos", list_query, legacy=legacy)
        mirrors = await mirrors_of(connection, principal, rows)
    items = [enriched(todo(row, principal.scope), mirrors) for row in rows]
    if query.all:
        return {**page(items, total=total, number=1, size=len(items)), "totalPages": 1}
    return page(items, total=total, number=query.page, size=query.page_size)


@router.post(PATH, status_code=201, response_model=Linked, deprecated=True, responses=documented())
async def add_todo(
    body: TodoCreate,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.create"),
) -> Response:
    """Add a task: 201 with its id, as the id of the link and of the todo."""
    await refuse_when_off(services, principal)
    check_scope(body, principal)
    key = preconditions_of(request).idempotency_key
    result = await execute(
        services, principal, create_todo(body, author_of(principal)), key=key, route=f"POST {PATH}"
    )
    identity = result["interactionId"]
    return write_response(result, {"linkId": identity, "todoId": identity}, 201)


@router.put(PATH, response_model=Done, deprecated=True, responses=documented())
async def change_todo(
    body: TodoUpdate,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change a task. ``id`` is the id of the link or of the todo."""
    await refuse_when_off(services, principal)
    check_scope(body, principal)
    target = await target_of(services, request, principal, body.ids(), "todos")
    step = update_todo(target.row, body)
    return write_response(await execute_on_target(services, principal, target, step), {"ok": True})


@router.delete(PATH, response_model=Done, deprecated=True, responses=documented(), openapi_extra=DELETE_BODY)
async def remove_todo(
    request: Request,
    services: ServicesDep,
    id: Annotated[str | None, Query(max_length=100)] = None,  # noqa: A002, ARG001 - its name; read below
    principal: Principal = require_features("customers.delete"),
) -> Response:
    """Delete a task. Its id is in the body (``{"id": …, "linkId"?: …, "todoId"?: …}``) or in ``?id=``."""
    await refuse_when_off(services, principal)
    target = await target_of(services, request, principal, await ids_to_delete(request, principal), "todos")
    return write_response(
        await execute_on_target(services, principal, target, delete(target.row)), {"ok": True}
    )
