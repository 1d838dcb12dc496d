"""Request and response models of drafts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from api.bodies import RequestBody
from api.cursor import MAX_LENGTH
from api.query_lists import one_or_more, parts_of
from api.response_models import ResponseModel, snapshot_fields
from schemas.signal_events import DraftSnapshot
from schemas.signal_payloads import Channel, DraftBody, Language
from schemas.values import Instant, Title, UuidText

DraftStatus = Literal["draft", "sent", "deleted"]


class DraftQuery(BaseModel):
    """Filters and page of the list, newest drafts first."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="ignore")

    status: (
        Annotated[str, Field(max_length=100), AfterValidator(one_or_more("draft", "sent", "deleted"))] | None
    ) = Field(default=None, description="One or more, separated by commas. Default: all but deleted drafts.")
    signal_id: UuidText | None = None
    interaction_id: UuidText | None = None
    entity_id: UuidText | None = None
    person_id: UuidText | None = None
    user_id: Annotated[str, Field(max_length=200, pattern=r"^[^\x00]*$")] | None = None
    channel: Channel | None = None
    cursor: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 25

    def statuses(self) -> tuple[str, ...]:
        """The statuses to list."""
        return parts_of(self.status) or ("draft", "sent")

    def filters(self) -> dict[str, Any]:
        """Names of the list's conditions → values."""
        names = {"signal_id", "interaction_id", "entity_id", "person_id", "user_id", "channel"}
        return self.model_dump(include=names)


class DraftUpdateBody(RequestBody):
    """The text of a draft. Omitted fields keep their value; ``null`` clears the subject."""

    id: UuidText
    subject: Title | None = None
    # Declared without null, so that null is rejected: a draft always has a body.
    body: DraftBody = ""


class MarkSentBody(RequestBody):
    """The id of the draft that a person has sent, and the time (by default now)."""

    id: UuidText
    sent_at: Instant | None = None


class DraftIdBody(RequestBody):
    """The id of a draft."""

    id: UuidText


# These ids are not UUIDs.
_fields: dict[str, Any] = snapshot_fields(
    DraftSnapshot, user_id=str, template_id=str, status=DraftStatus, channel=Channel, language=Language
)
_Snapshot: Any = create_model("_Snapshot", __base__=ResponseModel, **_fields)


class Draft(_Snapshot):
    """A message for a person to edit and send."""


class DraftPage(ResponseModel):
    """One page, with ``nextCursor`` if more follow."""

    items: list[Draft]
    next_cursor: str = ""
