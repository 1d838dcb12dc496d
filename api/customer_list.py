"""Pages of people or companies: query parameters and response."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.cursor import MAX_LENGTH, make_cursor, read_cursor
from api.customer_items import customer
from api.principal import Principal
from api.queries.customers import CustomerQuery, customers
from api.services import Services
from schemas.values import Instant, UuidText

SortField = Literal[
    "nextInteractionAt", "lastInteractionAt", "displayName", "createdAt", "updatedAt", "openCount"
]
_TEXTS: Final = ("displayName",)
_NUMBERS: Final = ("openCount",)
#: Parameters that a cursor is not bound to as filters.
_PAGE_PARAMETERS: Final = {"cursor", "limit", "sort_field", "sort_dir"}


class CustomerFilters(BaseModel):
    """The query parameters of both lists."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="ignore")

    search: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] | None = None
    owner_user_id: UuidText | None = None
    has_next_interaction: bool | None = None
    next_interaction_from: Instant | None = None
    next_interaction_to: Instant | None = None
    overdue: bool | None = None
    sort_field: SortField = "nextInteractionAt"
    sort_dir: Literal["asc", "desc"] = "asc"
    cursor: Annotated[str, Field(max_length=MAX_LENGTH)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 25


Filters = Annotated[CustomerFilters, Query()]


async def customer_page(
    services: Services, principal: Principal, kind: Literal["person", "company"], filters: CustomerFilters
) -> dict[str, Any]:
    """One page, with ``nextCursor`` if more rows follow. One statement."""
    bound = {"kind": kind, **filters.model_dump(mode="json", exclude=_PAGE_PARAMETERS)}
    after = None
    if filters.cursor is not None:
        kind_of_key = (
            str if filters.sort_field in _TEXTS else int if filters.sort_field in _NUMBERS else datetime
        )
        after = read_cursor(filters.cursor, filters.sort_field, filters.sort_dir, bound, kind_of_key)
    query = CustomerQuery(
        kind=kind,
        limit=filters.limit,
        sort_field=filters.sort_field,
        sort_dir=filters.sort_dir,
        now=datetime.now(UTC),
        search=filters.search,
        owner_user_id=filters.owner_user_id,
        has_next=filters.has_next_interaction,
        next_from=filters.next_interaction_from,
        next_to=filters.next_interaction_to,
        overdue=filters.overdue,
        after=after,
    )
    async with services.reads.connection() as connection:
        rows = await customers(connection, principal.scope, query)
    shown = rows[: filters.limit]
    answer: dict[str, Any] = {"items": [customer(row) for row in shown]}
    if len(rows) > filters.limit:
        last = shown[-1]
        answer["nextCursor"] = make_cursor(
            filters.sort_field, filters.sort_dir, bound, last["sort_key"], last["id"]
        )
    return answer
