"""``/api/customers/people``: people with their next interaction."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Query, Request, Response

from api.authorization import authorized_router, require_features
from api.conditional_reads import NOT_MODIFIED, extras_of_customer, validator
from api.customer_detail import customer_detail
from api.customer_list import Filters, customer_page
from api.customer_writes import CustomerCreate, CustomerUpdate, create_customer, update_customer
from api.principal import Principal
from api.response_models import Created, Done, responses_of
from api.routes.customer_models import CustomerPage, PersonDetail
from api.services import ServicesDep
from schemas.values import UuidText

router = authorized_router("people")


@router.get("/api/customers/people", responses=responses_of(CustomerPage))
async def list_people(
    services: ServicesDep, filters: Filters, principal: Principal = require_features("customers.view")
) -> dict[str, Any]:
    """A page of people, by default those with the earliest next interaction first."""
    return await customer_page(services, principal, "person", filters)


@router.get(
    "/api/customers/people/{entity_id}",
    responses={**responses_of(PersonDetail, status_404="No such person"), **NOT_MODIFIED},
)
async def show_person(
    entity_id: UuidText,
    request: Request,
    services: ServicesDep,
    response: Response,
    include: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI copies it
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """One person. ``include``: ``interactions``, ``activities``, ``todos`` (``tasks``), ``deals``."""
    found = await customer_detail(services, principal, entity_id, "person", include)
    extras = extras_of_customer(found, "person")
    response.headers["ETag"] = validator(request, found["person"]["version"], extras)
    return found


@router.post("/api/customers/people", status_code=201, response_model=Created)
async def create_person(
    body: CustomerCreate,
    services: ServicesDep,
    request: Request,
    principal: Principal = require_features("customers.create"),
) -> Response:
    """Add a person: 201 with its id."""
    return await create_customer(services, request, principal, "person", body)


@router.put("/api/customers/people", response_model=Done, responses={404: {"description": "No such person"}})
async def update_person(
    body: CustomerUpdate,
    services: ServicesDep,
    request: Request,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change a person. Omitted fields keep their value."""
    return await update_customer(services, request, principal, "person", body)
