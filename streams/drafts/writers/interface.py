"""Interface of a writer: the request, the draft it returns, its failures and its declaration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, Protocol

from schemas.errors import InteractionsError

Channel = Literal["text", "email", "call"]
Language = Literal["en", "de"]
FailureCode = Literal[
    "writer_timeout",
    "writer_unavailable",
    "writer_misconfigured",
    "writer_refused",
    "writer_truncated",
    "writer_invalid_answer",
    "budget_exhausted",
    "writer_closed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Maximum characters (code points) of a draft.

    :param subject: ``None`` for a channel without subjects.
    """

    body: int
    subject: int | None = None


LIMITS: Final[Mapping[Channel, Limits]] = {
    "text": Limits(body=320),
    "email": Limits(body=4_000, subject=150),
    "call": Limits(body=1_500),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftRequest:
    """Facts for one draft, all from stored rows. Every text in it is customer text: data, not instructions.

    :param signal_kind: ``promise``, ``question``, ``risk``, ``birthday`` or any other kind.
    :param instruction: wish of the user who resolves the signal, for content and tone.
    :param person_name: display name of the recipient; it may be blank.
    :param interaction_type: code of the interaction that revealed the signal, for example ``call``.
    :param interaction_at: time of that interaction. Writers print dates in the time zone of the value.
    :param next_at: time of the next planned interaction, ``None`` if there is none in the future. A writer
        reads no clock.
    """

    tenant_id: str
    organization_id: str
    signal_id: str
    signal_kind: str
    signal_title: str
    signal_body: str | None
    channel: Channel
    language: Language
    instruction: str | None
    person_name: str
    interaction_type: str
    interaction_title: str | None
    interaction_at: datetime | None
    next_at: datetime | None
    sender_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenDraft:
    """A draft within the limits of its channel, never blank, with its provenance.

    :param subject: one line, for emails only.
    :param body: plain text; talking points for a call.
    :param writer: name of the writer, for example ``template``.
    :param template_id: template and its version, for example ``email/de/promise@1``.
    :param model: model that wrote the text.
    :param prompt_hash: SHA-256 of the prompt, equal for equal requests.
    """

    subject: str | None
    body: str
    writer: str
    template_id: str | None
    model: str | None
    prompt_hash: str | None


class WritingFailedError(InteractionsError):
    """There is no draft. The writer did not substitute another text.

    :param code: stable machine-readable reason. ``writer_closed`` says that the process is stopping: it is
        nothing that a user should see.
    :param detail: sentence for users, without customer text and secrets: what happened and what to do.
    :param retriable: the cause is transient, so the same request can succeed later.
    :param after: minimum seconds until then, if known.
    """

    def __init__(
        self, code: FailureCode, detail: str, *, retriable: bool, after: float | None = None
    ) -> None:
        super().__init__(detail)
        self.code: Final = code
        self.detail: Final = detail
        self.retriable: Final = retriable
        self.after: Final = after


class Writer(Protocol):
    """Writes drafts; several threads can use one instance."""

    @property
    def name(self) -> str:
        """Name of the writer's module."""

    def write(self, request: DraftRequest) -> WrittenDraft:
        """Write one draft.

        :raises WritingFailedError: there is no draft.
        """

    def close(self) -> None:
        """Release everything; a ``write`` in progress fails promptly with ``writer_closed``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterDeclaration:
    """Declaration of a writer, as ``DECLARATION`` in its module.

    :param name: name of the module.
    :param summary: sentence for users.
    :param make: create the writer, from settings of its own.
    """

    name: str
    summary: str
    make: Callable[[], Writer]
