"""Base classes of response models, and the response models that several routes share.

Models describe responses for the OpenAPI document; they do not filter them. Contract tests validate every
response against its model, so a changed member shows as a change of the document.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Timestamp = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Id = Annotated[str, Field(json_schema_extra={"format": "uuid"})]
Kind = Literal["person", "company"]


class ResponseModel(BaseModel):
    """A closed JSON object with camelCase names."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel)


class Mirror(BaseModel):
    """The mirror of an interaction at an integration. A provider may add members."""

    model_config = ConfigDict(extra="allow", alias_generator=to_camel)

    external_id: str
    external_url: str | None
    sync_status: Literal["synced", "pending", "error", "not_synced"]
    last_synced_at: Timestamp | None


class Mirrored(ResponseModel):
    """An object that may have mirrors, by integration. Without any, the member is absent."""

    integrations: Annotated[dict[str, Mirror], Field(alias="_integrations", default_factory=dict)]


class Created(BaseModel):
    """The id of the created resource."""

    id: str


class Warned(BaseModel):
    """A warning about a committed write."""

    code: str
    field: str | None = None
    detail: str


class Done(BaseModel):
    """The write is committed, except for the fields in ``partial``.

    ``partial`` names fields whose stored value is newer than this change, so that it was kept (last write
    wins). If that is so for every field, the response is 409 ``superseded``.
    """

    ok: Literal[True]
    partial: list[str] = []
    warnings: list[Warned] = []


def responses_of(model: type[ResponseModel], **further: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: the model of its 200, and descriptions of further statuses.

    :param further: ``status_404="No such deal"``.
    """
    others: dict[int | str, dict[str, Any]] = {
        int(status.removeprefix("status_")): {"description": text} for status, text in further.items()
    }
    return {200: {"model": model}, **others}
