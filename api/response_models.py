"""The answers of customers, deals, widgets, flags and the deprecated routes, for the OpenAPI document.

They describe and do not filter: an answer is sent as it was put together. The contract tests hold every
answer against them, and a changed member shows as a change of the document.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Kind = Literal["person", "company"]


class ResponseModel(BaseModel):
    """A closed object with camelCase names."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Mirror(BaseModel):
    """An interaction at an integration; a provider may show further members."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    external_id: str
    external_url: str | None
    sync_status: Literal["synced", "pending", "error", "not_synced"]
    last_synced_at: Timestamp | None


class Mirrored(ResponseModel):
    """Something that may have mirrors, by integration; without any the member is absent."""

    integrations: Annotated[dict[str, Mirror], Field(alias="_integrations", default_factory=dict)]


class Created(BaseModel):
    """The id of what was created."""

    id: str


class Warned(BaseModel):
    """Something to know about a write that was committed."""

    code: str
    field: str | None = None
    detail: str


class Done(BaseModel):
    """It is committed: all of it, or all but the fields in ``partial``.

    ``partial`` names fields that another source changed later than this change was made, so that its
    value stays (last write wins). When that is so for every field, the answer is 409 ``superseded``.
    """

    ok: Literal[True]
    partial: list[str] = []
    warnings: list[Warned] = []


def responses_of(shape: type[ResponseModel], **further: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: its 200, and further statuses with their descriptions."""
    others: dict[int | str, dict[str, Any]] = {
        int(status.removeprefix("status_")): {"description": text} for status, text in further.items()
    }
    return {200: {"model": shape}, **others}
