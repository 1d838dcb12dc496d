"""``/api/customers/companies``: companies with their next interaction."""

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
from api.routes.customer_models import CompanyDetail, CustomerPage
from api.services import ServicesDep
from schemas.values import UuidText

router = authorized_router("companies")


@router.get("/api/customers/companies", responses=responses_of(CustomerPage))
async def list_companies(
    services: ServicesDep, filters: Filters, principal: Principal = require_features("customers.view")
) -> dict[str, Any]:
    """A page of companies, by default those with the earliest next interaction first."""
    return await customer_page(services, principal, "company", filters)


@router.get(
    "/api/customers/companies/{entity_id}",
    responses={**responses_of(CompanyDetail, status_404="No such company"), **NOT_MODIFIED},
)
async def show_company(
    entity_id: UuidText,
    request: Request,
    services: ServicesDep,
    response: Response,
    include: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI copies it
    principal: Principal = require_features("customers.view"),
) -> dict[str, Any]:
    """One company. ``include``: ``interactions``, ``activities``, ``todos`` (``tasks``), ``deals``."""
    found = await customer_detail(services, principal, entity_id, "company", include)
    extras = extras_of_customer(found, "company")
    response.headers["ETag"] = validator(request, found["company"]["version"], extras)
    return found


@router.post("/api/customers/companies", status_code=201, response_model=Created)
async def create_company(
    body: CustomerCreate,
    services: ServicesDep,
    request: Request,
    principal: Principal = require_features("customers.create"),
) -> Response:
    """Add a company: 201 with its id."""
    return await create_customer(services, request, principal, "company", body)


@router.put(
    "/api/customers/companies", response_model=Done, responses={404: {"description": "No such company"}}
)
async def update_company(
    body: CustomerUpdate,
    services: ServicesDep,
    request: Request,
    principal: Principal = require_features("customers.edit"),
) -> Response:
    """Change a company. Omitted fields keep their value."""
    return await update_customer(services, request, principal, "company", body)
