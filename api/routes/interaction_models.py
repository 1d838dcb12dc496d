"""Request and response models of interactions."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from api.bodies import RequestBody
from api.cursor import MAX_LENGTH
from api.problems import validation_failed
from api.queries.interaction_list import Filters
from api.query_lists import one_or_more, parts_of
from api.response_models import Mirrored, ResponseModel, snapshot_fields
from schemas.errors import FieldError
from schemas.events import InteractionSnapshot
from schemas.interaction_fields import InteractionFields
from schemas.next_step import NextStep
from schemas.type_codes import normalize_interaction_type
from schemas.values import (
    Body,
    Instant,
    InteractionType,
    ShortText,
    Status,
    UuidText,
)


def _types(text: str) -> str:
    return ",".join(normalize_interaction_type(part) for part in text.split(","))


class InteractionQuery(BaseModel):
    """Filters, order and page of the list."""

    model_config = ConfigDict(frozen=True)

    entityId: UuidText | None = None  # noqa: N815 - a query parameter's name
    dealId: UuidText | None = None  # noqa: N815
    status: Annotated[str, Field(max_length=100), AfterValidator(one_or_more(*get_args(Status)))] | None = (
        None
    )
    interactionType: Annotated[str, Field(max_length=1000), AfterValidator(_types)] | None = None  # noqa: N815
    ownerUserId: UuidText | None = None  # noqa: N815
    from_: Instant | None = Field(default=None, alias="from")
    to: Instant | None = None
    search: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    sortField: Literal[  # noqa: N815
        "scheduledAt",
        "occurredAt",
        "createdAt",
        "updatedAt",
        "status",
        "priority",
        "interactionType",
        "title",
    ] = "scheduledAt"
    sortDir: Literal["asc", "desc"] | None = None  # noqa: N815
    cursor: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 25

    def filters(self) -> Filters:
        """The filters of the list.

        :raises Reject: the search contains NUL, which no stored text contains.
        """
        if self.search is not None and "\x00" in self.search:
            raise validation_failed(
                (FieldError("invalid_value", "must not contain NUL", attribute="search"),)
            )
        return Filters(
            entity_id=self.entityId,
            deal_id=self.dealId,
            owner_user_id=self.ownerUserId,
            statuses=parts_of(self.status),
            interaction_types=parts_of(self.interactionType),
            earliest=self.from_,
            latest=self.to,
            search=self.search,
        )


class InteractionCreateBody(InteractionFields, RequestBody):
    """A new interaction. Give an ``id`` so that a retry cannot create it twice."""

    entity_id: UuidText
    interaction_type: InteractionType
    id: UuidText | None = None
    status: Status | None = None
    source: ShortText | None = None


class InteractionUpdateBody(InteractionFields, RequestBody):
    """Changes of an interaction. Omitted fields keep their value; ``null`` clears a field."""

    id: UuidText
    # Declared without null, so that null is rejected: an interaction always has a type.
    interaction_type: InteractionType = ""


class CompletionBody(RequestBody):
    """The id of the completed interaction, and the time at which it took place (by default now).

    ``feedback`` is stored with it.
    """

    id: UuidText
    occurred_at: Instant | None = None
    feedback: Body | None = None


class NextStepBody(NextStep, RequestBody):
    """The interaction to plan."""


class CompleteBody(CompletionBody):
    """A completion. ``next`` plans the next interaction of the same customer.

    Both are stored, or neither. Undo takes both back.
    """

    next: NextStepBody | None = None


class IdBody(RequestBody):
    """The id of an interaction."""

    id: UuidText


_fields: dict[str, Any] = snapshot_fields(InteractionSnapshot, status=Status)
_Snapshot: Any = create_model("_Snapshot", __base__=Mirrored, **_fields)


class Interaction(_Snapshot):
    """An interaction. User names and custom values belong to other systems and are null."""

    author_name: None
    author_email: None
    deal_title: str | None
    custom_values: None
    interaction_type_label: str | None


class InteractionPage(ResponseModel):
    """One page, with ``nextCursor`` if more follow."""

    items: list[Interaction]
    next_cursor: str = ""
