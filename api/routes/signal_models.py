"""Request and response models of signals."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, create_model
from pydantic.alias_generators import to_camel

from api.bodies import RequestBody
from api.cursor import MAX_LENGTH
from api.query_lists import one_or_more, parts_of
from api.response_models import Id, ResponseModel, Timestamp, snapshot_fields
from api.routes.draft_models import Draft
from schemas.signal_events import SignalSnapshot
from schemas.signal_payloads import Channel, Instruction, Language, SignalTitle
from schemas.type_codes import normalize_interaction_type
from schemas.values import Body, Instant, InteractionType, Priority, Title, UuidText

SignalStatus = Literal["open", "resolving", "resolved", "skipped"]


def _kinds(text: str) -> str:
    return ",".join(normalize_interaction_type(part) for part in text.split(","))


class SignalQuery(BaseModel):
    """Filters, order and page of the list."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, extra="ignore")

    status: (
        Annotated[str, Field(max_length=100), AfterValidator(one_or_more(*get_args(SignalStatus)))] | None
    ) = Field(default=None, description="One or more, separated by commas.")
    kind: Annotated[str, Field(max_length=1000), AfterValidator(_kinds)] | None = Field(
        default=None, description="One or more, separated by commas."
    )
    interaction_id: UuidText | None = None
    entity_id: UuidText | None = None
    person_id: UuidText | None = Field(
        default=None, description="Also finds the signals of this customer that name no person."
    )
    sort_field: Literal["detectedAt", "updatedAt"] = "detectedAt"
    sort_dir: Literal["asc", "desc"] = "desc"
    cursor: Annotated[str, Field(min_length=1, max_length=MAX_LENGTH)] | None = None
    limit: Annotated[int, Field(ge=1, le=100)] = 25

    def statuses(self) -> tuple[str, ...] | None:
        """The statuses to list; ``None`` for any."""
        return parts_of(self.status)

    def filters(self) -> dict[str, Any]:
        """Names of the list's conditions → values."""
        ids = self.model_dump(include={"interaction_id", "entity_id", "person_id"})
        return {**ids, "kinds": parts_of(self.kind)}


class _SignalFields(RequestBody):
    body: Body | None = None
    person_id: UuidText | None = None
    confidence: Priority | None = None


class SignalRecordBody(_SignalFields):
    """A signal that an interaction revealed. Give an ``id`` so that a retry cannot record it twice."""

    interaction_id: UuidText
    kind: InteractionType
    title: SignalTitle
    id: UuidText | None = None
    detected_at: Instant | None = None


class SignalUpdateBody(_SignalFields):
    """Changes of a signal. Omitted fields keep their value; ``null`` clears a field."""

    id: UuidText
    # Declared without null, so that null is rejected: a signal always has both.
    kind: InteractionType = ""
    title: SignalTitle = ""


class ResolveBody(RequestBody):
    """The channel and language of the draft, and an instruction for its writer."""

    id: UuidText
    channel: Channel
    instruction: Instruction | None = None
    language: Language = "en"


class SkipBody(RequestBody):
    """The id of a signal about which nothing is to be done, and the reason."""

    id: UuidText
    reason: Title | None = None


class SignalIdBody(RequestBody):
    """The id of a signal."""

    id: UuidText


_fields: dict[str, Any] = snapshot_fields(
    SignalSnapshot, status=SignalStatus, channel=Channel, language=Language
)
_Snapshot: Any = create_model("_Snapshot", __base__=ResponseModel, **_fields)


class Signal(_Snapshot):
    """Something that an interaction revealed and that asks for an action."""


class SignalOutcome(ResponseModel):
    """One entry of the history of a signal. ``detail`` is the code of a failure or the reason of a skip."""

    id: Id
    outcome: Literal["resolved", "failed", "skipped", "reopened", "reverted"]
    detail: str | None
    draft_id: Id | None
    actor_id: str | None
    command_id: str
    created_at: Timestamp


class SignalDetail(_Snapshot):
    """A signal with its history, oldest first, and its drafts that are not deleted, newest first."""

    outcomes: list[SignalOutcome]
    drafts: list[Draft]


class SignalPage(ResponseModel):
    """One page, with ``nextCursor`` if more follow."""

    items: list[Signal]
    next_cursor: str = ""


class Resolved(ResponseModel):
    """The signal is resolved: its draft, as it is stored."""

    ok: Literal[True]
    draft: Draft
