"""Base classes of response models, and the response models that several routes share.

Models describe responses for the OpenAPI document; they do not filter them. Contract tests validate every
response against its model, so a changed member shows as a change of the document.
"""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from schemas.events import Published

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


class Completed(Done):
    """The completion is committed, with the next interaction if the request planned one.

    ``plannedInteractionId`` is the id of that interaction. Without one, the member is absent.
    """

    planned_interaction_id: Annotated[Id | None, Field(alias="plannedInteractionId")] = None


def responses_of(model: type[ResponseModel], **further: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route: the model of its 200, and descriptions of further statuses.

    :param further: ``status_404="No such deal"``.
    """
    others: dict[int | str, dict[str, Any]] = {
        int(status.removeprefix("status_")): {"description": text} for status, text in further.items()
    }
    return {200: {"model": model}, **others}


def snapshot_fields(snapshot: type[Published], **formats: Any) -> dict[str, Any]:
    """Field definitions of a published snapshot, with instants and ids in the API's formats.

    :param formats: field → its type in a response, if the name does not determine it.
    """
    return {
        name: (_response_type(info.annotation, formats.get(name, _FORMATS.get(name.rpartition("_")[2]))), ...)
        for name, info in snapshot.model_fields.items()
    }


_FORMATS: dict[str, Any] = {"id": Id, "at": Timestamp}


def _response_type(published: Any, formatted: Any) -> Any:
    if formatted is None:
        return published
    return formatted | None if NoneType in get_args(published) else formatted
