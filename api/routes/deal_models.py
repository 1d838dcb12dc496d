"""Request and response models of deals."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.bodies import RequestBody
from api.cursor import MAX_LENGTH
from api.response_models import Id, ResponseModel, Timestamp
from schemas.values import ShortText, Title, UuidText


class DealQuery(BaseModel):
    """Filters and page of the list, newest deals first."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="ignore")

    entity_id: UuidText | None = None
    status: ShortText | None = None
    search: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] | None = None
    cursor: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 25


class DealCreate(RequestBody):
    """A new deal of a customer."""

    entity_id: UuidText
    id: UuidText | None = None
    title: Title
    status: ShortText | None = None


class DealUpdate(RequestBody):
    """Changes of a deal. Omitted fields keep their value. The customer of a deal cannot change."""

    id: UuidText
    # Declared without null, so that null is rejected: a deal always has a title.
    title: Title = ""
    status: ShortText | None = None


class Deal(ResponseModel):
    """One deal of a customer."""

    id: Id
    entity_id: Id
    title: str
    status: str | None
    version: int
    created_at: Timestamp
    updated_at: Timestamp


class DealPage(ResponseModel):
    """One page, with ``nextCursor`` if more follow."""

    items: list[Deal]
    next_cursor: str = ""
