"""``/api/customers/integrations/{integration}/ledger``: rows with their reasons, and their retry."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import Query
from pydantic import AfterValidator, Field, model_validator

from api.authorization import authorized_router, require_features
from api.bodies import RequestBody
from api.cursor import MAX_LENGTH, make_cursor, read_cursor
from api.integration_items import LedgerItem, ledger_item
from api.principal import Principal
from api.queries.integration_ledger import LEDGER_STATES, ledger_page
from api.queries.integrations import has_integration
from api.query_lists import one_or_more, parts_of
from api.response_models import ResponseModel, responses_of
from api.routes.integration_operations import execute
from api.routes.integration_views import MANAGE, MISSING, PATH, VIEW, IntegrationId
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.integration_decisions import MAX_RETRIED, IntegrationOperation, Unfinished

router = authorized_router("integrations")
_SORT: Final = ("updatedAt", "desc")
_States = Annotated[str, Field(max_length=100), AfterValidator(one_or_more(*LEDGER_STATES))]


class LedgerPage(ResponseModel):
    """One page, with ``nextCursor`` if more follow."""

    items: list[LedgerItem]
    next_cursor: str = ""


class RetryBody(RequestBody):
    """The rows to retry: those of ``interactions``, or with ``all`` every one that has work.

    ``state`` limits ``all`` to the rows in one state.
    """

    interactions: list[UUID] = Field(default_factory=list, max_length=MAX_RETRIED)
    all: Literal[True] | None = None
    state: Unfinished | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> RetryBody:
        if bool(self.interactions) == bool(self.all):
            raise ValueError("name interactions, or send all: true")
        if self.state is not None and not self.all:
            raise ValueError("state is only valid with all: true")
        return self


class Retried(ResponseModel):
    """The rows are due now. ``rows`` is their number."""

    ok: Literal[True]
    rows: int


@router.get(PATH + "/{integration}/ledger", responses=responses_of(LedgerPage, status_404=MISSING))
async def list_ledger(
    integration: IntegrationId,
    services: ServicesDep,
    state: Annotated[_States | None, Query(description="One or more, separated by commas.")] = None,
    cursor: Annotated[str | None, Query(min_length=1, max_length=MAX_LENGTH)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 25,
    principal: Principal = require_features(VIEW),
) -> dict[str, Any]:
    """Ledger rows of an integration in keyset pages, last changed first."""
    states = parts_of(state)
    filters = {"integration": integration, "states": states}
    after = read_cursor(cursor, *_SORT, filters, datetime) if cursor is not None else None
    async with services.reads.connection() as connection:
        if not await has_integration(connection, principal.scope, integration):
            raise Reject("not_found", MISSING, status=404)
        rows, more = await ledger_page(
            connection,
            principal.scope,
            integration,
            states=states,
            after=after if after is not None and after.key is not None else None,
            limit=limit,
        )
    answer: dict[str, Any] = {"items": [ledger_item(row) for row in rows]}
    if more:
        answer["nextCursor"] = make_cursor(*_SORT, filters, rows[-1]["updated_at"], rows[-1]["id"])
    return answer


@router.post(PATH + "/{integration}/ledger/retry", responses=responses_of(Retried, status_404=MISSING))
async def retry_ledger(
    integration: IntegrationId,
    body: RetryBody,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit", MANAGE),
) -> dict[str, Any]:
    """Make rows due now: one, several, or all that match. The connectors then compare both sides."""
    wanted = IntegrationOperation(
        integrationId=integration,
        operation="retry",
        interactions=[str(one) for one in body.interactions],
        only=body.state,
    )
    done = await execute(services, principal, wanted)
    return {"ok": True, "rows": done.rows or 0}
