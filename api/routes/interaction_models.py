"""Request and response models of interactions."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model

from api.bodies import RequestBody
from api.cursor import MAX_LENGTH
from api.problems import validation_failed
from api.queries.interaction_list import Filters
from api.response_models import Id, Mirrored, ResponseModel, Timestamp
from schemas.errors import FieldError
from schemas.events import InteractionSnapshot
from schemas.interaction_fields import InteractionFields
from schemas.type_codes import normalize_interaction_type
from schemas.values import (
    Instant,
    InteractionType,
    ShortText,
    Status,
    UuidText,
)


def _statuses(text: str) -> str:
    for part in text.split(","):
        if part.strip() not in ("planned", "done", "canceled"):
            raise ValueError("must be planned, done or canceled, or several of them separated by commas")
    return text


def _types(text: str) -> str:
    return ",".join(normalize_interaction_type(part) for part in text.split(","))


class InteractionQuery(BaseModel):
    """Filters, order and page of the list."""

    model_config = ConfigDict(frozen=True)

    entityId: UuidText | None = None  # noqa: N815 - a query parameter's name
    dealId: UuidText | None = None  # noqa: N815
    status: Annotated[str, Field(max_length=100), AfterValidator(_statuses)] | None = None
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
            statuses=_parts(self.status),
            interaction_types=_parts(self.interactionType),
            earliest=self.from_,
            latest=self.to,
            search=self.search,
        )


def _parts(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(sorted({part.strip() for part in text.split(",")}))


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


class CompleteBody(RequestBody):
    """The id of the completed interaction, and the time at which it took place (by default now)."""

    id: UuidText
    occurred_at: Instant | None = None


class IdBody(RequestBody):
    """The id of an interaction."""

    id: UuidText


def _response_type(name: str, published: Any) -> Any:
    """Type of a field of the snapshot in a response."""
    formatted: Any = {"id": Id, "at": Timestamp}.get(name.rpartition("_")[2])
    if name == "status":
        formatted = Literal["planned", "done", "canceled"]
    if formatted is None:
        return published
    return formatted | None if NoneType in get_args(published) else formatted


#: Every field of the published snapshot, with instants and ids in the API's formats.
_fields: dict[str, Any] = {
    name: (_response_type(name, info.annotation), ...)
    for name, info in InteractionSnapshot.model_fields.items()
}
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
