"""Models of the ``data`` of commands on signals and drafts."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints

from schemas.identity import derive_id, escaped
from schemas.payload_base import DEFAULT_UNSEEN, Clearing, ClearingByName, Payload
from schemas.values import Body, Instant, InteractionType, Label, Priority, ShortText, Title, UuidText, no_nul

Channel = Literal["text", "email", "call"]
Language = Literal["en", "de"]
SignalTitle = Annotated[str, StringConstraints(min_length=1, max_length=500), AfterValidator(no_nul)]
Instruction = Annotated[str, StringConstraints(max_length=1000), AfterValidator(no_nul)]
DraftBody = Annotated[str, StringConstraints(min_length=1, max_length=10_000), AfterValidator(no_nul)]
#: A version that a change left.
Version = Annotated[int, Field(ge=1, le=2**63 - 1, strict=True)]
#: Most signals of one interaction, and in one fix.
MAX_SIGNALS: Final = 100
#: Fields of a signal that people edit, and those of them that can be cleared.
SIGNAL_FIELDS: Final = ("kind", "title", "body", "person_id", "confidence")
_CLEARABLE: Final = frozenset({"body", "person_id", "confidence"})


class SignalRecord(Payload):
    """Record a signal that an interaction revealed."""

    id: UuidText | None = None
    interaction_id: UuidText
    kind: InteractionType
    title: SignalTitle
    body: Body | None = None
    person_id: UuidText | None = None
    confidence: Priority | None = None
    detected_at: Instant | None = None


class SignalUpdate(Clearing):
    """Change the fields of a signal, in any status."""

    mutable = frozenset(SIGNAL_FIELDS)
    clearable = _CLEARABLE

    id: UuidText
    # Declared without null, so that null is rejected: a signal always has both.
    kind: Annotated[InteractionType, DEFAULT_UNSEEN] = ""
    title: Annotated[SignalTitle, DEFAULT_UNSEEN] = ""
    body: Body | None = None
    person_id: UuidText | None = None
    confidence: Priority | None = None


class SignalResolve(Payload):
    """open → resolving: have a draft written."""

    id: UuidText
    channel: Channel
    instruction: Instruction | None = None
    language: Language = "en"


class SignalAttachDraft(Payload):
    """resolving → resolved: store the draft that was written (sent by the drafts role).

    ``resolution`` is the version that ``resolve`` left.
    """

    id: UuidText
    resolution: Version
    subject: Title | None = None
    body: DraftBody
    writer: Label
    template_id: ShortText | None = None
    model: ShortText | None = None
    prompt_hash: ShortText | None = None


class SignalFailDraft(Payload):
    """resolving → open: no draft was written, for this reason (sent by the drafts role and the timers)."""

    id: UuidText
    resolution: Version
    code: Label
    detail: Title | None = None


class SignalSkip(Payload):
    """open → skipped: nothing is to be done about the signal."""

    id: UuidText
    reason: Title | None = None


class SignalReopen(Payload):
    """resolved or skipped → open; the draft stays."""

    id: UuidText


class DraftUpdate(Clearing):
    """Change the text of a draft."""

    mutable = frozenset({"subject", "body"})
    clearable = frozenset({"subject"})

    id: UuidText
    subject: Title | None = None
    # Declared without null, so that null is rejected: a draft always has a body.
    body: Annotated[DraftBody, DEFAULT_UNSEEN] = ""


class DraftMarkSent(Payload):
    """draft → sent: a person has sent it, at ``sentAt`` or now."""

    id: UuidText
    sent_at: Instant | None = None


class DraftDelete(Payload):
    """draft → deleted; the row stays."""

    id: UuidText


class DraftRestore(Payload):
    """deleted → draft."""

    id: UuidText


class SignalFix(ClearingByName):
    """Change of one signal within a fix."""

    mutable = frozenset(SIGNAL_FIELDS)
    clearable = _CLEARABLE

    id: UuidText
    kind: Annotated[InteractionType, DEFAULT_UNSEEN] = ""
    title: Annotated[SignalTitle, DEFAULT_UNSEEN] = ""
    body: Body | None = None
    person_id: UuidText | None = None
    confidence: Priority | None = None


def answer_correlation(tenant_id: str, organization_id: str, command_id: str) -> str:
    """Correlation id of the answer to a ``signal.resolve``: of its ``attach_draft`` or ``fail_draft``.

    A client that sent the resolution can wait for the result with this id.
    """
    return derive_id("draft-answer", tenant_id, organization_id, escaped(command_id))


SIGNAL_RECORD: Final = "customers.signal.record"
SIGNAL_ATTACH_DRAFT: Final = "customers.signal.attach_draft"
SIGNAL_FAIL_DRAFT: Final = "customers.signal.fail_draft"

SIGNAL_PAYLOADS: Final[dict[str, type[Payload]]] = {
    SIGNAL_RECORD: SignalRecord,
    "customers.signal.update": SignalUpdate,
    "customers.signal.resolve": SignalResolve,
    SIGNAL_ATTACH_DRAFT: SignalAttachDraft,
    SIGNAL_FAIL_DRAFT: SignalFailDraft,
    "customers.signal.skip": SignalSkip,
    "customers.signal.reopen": SignalReopen,
}
DRAFT_PAYLOADS: Final[dict[str, type[Payload]]] = {
    "customers.draft.update": DraftUpdate,
    "customers.draft.mark_sent": DraftMarkSent,
    "customers.draft.delete": DraftDelete,
    "customers.draft.restore": DraftRestore,
}
