"""``POST /api/customers/jobs/bulk``: one action on all planned interactions that match, as a job."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import Request
from pydantic import Field, field_validator, model_validator

from api.authorization import authorized_router, require_features
from api.bodies import RequestBody
from api.bulk_jobs import BulkOrder, bulk_job_id, refuse_under_guards, start_bulk, started_by
from api.preconditions import preconditions_of
from api.principal import Principal
from api.queries.task_list import ALL_TASKS, task_counts
from api.response_models import Id, ResponseModel
from api.services import ServicesDep
from schemas.errors import Reject
from schemas.instants import EARLIEST, LATEST
from schemas.values import Instant, InteractionType, ShortText, UuidText
from sinks.task_filter import TaskFilters, TaskSelection

router = authorized_router("jobs")
PATH: Final = "/api/customers/jobs/bulk"
#: Each local time of these days, in each zone, is an instant of the contract.
_FIRST_DAY: Final = (EARLIEST + timedelta(days=1)).date()
_LAST_DAY: Final = (LATEST - timedelta(days=2)).date()
_Types = Annotated[tuple[InteractionType, ...], Field(min_length=1, max_length=100)]


class BulkFilter(RequestBody):
    """Planned interactions of the organization; what is left out does not filter.

    `scheduledFrom` is inclusive, `scheduledTo` exclusive. `scheduled: false` selects those without a date.
    `search` is a part of the title or of the customer's name.
    """

    interaction_types: Annotated[tuple[InteractionType, ...], Field(min_length=1, max_length=100)] | None = (
        None
    )
    owner_user_id: UuidText | None = None
    entity_id: UuidText | None = None
    search: ShortText | None = None
    scheduled: Annotated[bool, Field(strict=True)] | None = None
    scheduled_from: Instant | None = None
    scheduled_to: Instant | None = None

    @model_validator(mode="after")
    def _one_choice(self) -> BulkFilter:
        if self.scheduled is False and (self.scheduled_from or self.scheduled_to):
            raise ValueError("interactions without a date are in no range of dates")
        return self

    @property
    def selection(self) -> TaskSelection:
        """The filter as list, counts and jobs take it."""
        bounded = self.scheduled_from is not None or self.scheduled_to is not None
        return TaskSelection(
            filters=TaskFilters(
                interaction_types=self.interaction_types,
                owner_user_id=self.owner_user_id,
                entity_id=self.entity_id,
                search=self.search,
            ),
            dated=True if bounded else self.scheduled,
            range_=(self.scheduled_from, self.scheduled_to),
        )


class BulkBody(RequestBody):
    """An action on all that match.

    `expectedCount` is the number that the caller confirms: if another number matches, nothing starts.
    `snooze` needs `day` and `timeZone` (IANA) and keeps the local time. `reassign` needs `ownerUserId`,
    which is `null` for no one.
    """

    action: Literal["complete", "cancel", "snooze", "reassign"]
    filter: BulkFilter
    expected_count: Annotated[int, Field(ge=0, strict=True)]
    day: Annotated[date, Field(ge=_FIRST_DAY, le=_LAST_DAY)] | None = None
    time_zone: ShortText | None = None
    owner_user_id: UuidText | None = None

    @field_validator("time_zone")
    @classmethod
    def _known(cls, given: str | None) -> str | None:
        try:
            return ZoneInfo(given).key if given is not None else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("no such time zone") from None

    @model_validator(mode="after")
    def _what_the_action_needs(self) -> BulkBody:
        sent = self.model_fields_set
        if (self.action == "snooze") != (self.day is not None and self.time_zone is not None):
            raise ValueError("day and timeZone belong to snooze, which needs both")
        if (self.action == "reassign") != ("owner_user_id" in sent):
            raise ValueError("ownerUserId belongs to reassign, which needs it")
        return self

    @property
    def changes(self) -> dict[str, Any]:
        """Parameters of the action."""
        if self.action == "snooze":
            assert self.day is not None
            return {"day": self.day.isoformat(), "zone": self.time_zone}
        return {"ownerUserId": self.owner_user_id} if self.action == "reassign" else {}


class BulkStarted(ResponseModel):
    """The job is stored, and will run."""

    ok: Literal[True]
    job_id: Id


@router.post(PATH, status_code=202, responses={202: {"model": BulkStarted}})
async def start_bulk_job(
    body: BulkBody,
    request: Request,
    services: ServicesDep,
    principal: Principal = require_features("customers.edit"),
) -> dict[str, Any]:
    """Start a job that sends one command per matching interaction, on behalf of the caller."""
    refuse_under_guards(services)
    given = preconditions_of(request).idempotency_key
    key = f"http:{given}" if given is not None else str(uuid4())
    selection = body.filter.selection
    range_ = None if selection.dated is False else selection.range_
    ranges = {"dated": range_} if selection.dated is not None else ALL_TASKS
    order = BulkOrder(
        action=body.action,
        selection=selection,
        count=body.expected_count,
        changes=body.changes,
        confirmed_at=datetime.now(UTC),
    )
    async with services.reads.connection() as connection:
        if await started_by(connection, principal, order, key):
            return {"ok": True, "jobId": bulk_job_id(principal, key)}
        counts = await task_counts(connection, principal.scope, selection.filters, ranges)
    count = sum(counts.values())
    if count != body.expected_count:
        raise Reject("count_changed", f"{count} interactions match. Nothing was started.", status=409)
    order = replace(order, confirmed_at=datetime.now(UTC))
    return {"ok": True, "jobId": await start_bulk(services, principal, order, key)}
