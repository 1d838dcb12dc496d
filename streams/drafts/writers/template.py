"""Writer without a network: templates per channel and language, filled with stored facts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from streams.drafts.writers.cleaning.customer_text import lines, one_line, shorten
from streams.drafts.writers.cleaning.markup import without_html
from streams.drafts.writers.interface import (
    LIMITS,
    Channel,
    DraftRequest,
    Writer,
    WriterDeclaration,
    WrittenDraft,
)

#: Kinds of signals with an opening of their own in every template; the others get the general one.
KINDS: Final = frozenset({"promise", "question", "risk", "birthday"})
GENERAL: Final = "general"
_TEMPLATES: Final = Path(__file__).with_name("templates")
#: Characters of a stored text that are read at most; a draft uses fewer.
_READ: Final = 2_000
#: Quotation marks within a quoted title become apostrophes.
_INNER_QUOTES: Final = str.maketrans(dict.fromkeys('"“”„«»', "'"))


@dataclass(frozen=True, slots=True)
class _Lengths:
    """Maximum characters of each fact, which together keep a draft within the limits of its channel.

    :param notes: of the signal's body and the user's instruction, which only talking points contain.
    """

    name: int
    topic: int
    notes: int = 0


_LENGTHS: Final[Mapping[Channel, _Lengths]] = {
    "text": _Lengths(name=40, topic=60),
    "email": _Lengths(name=80, topic=110),
    "call": _Lengths(name=60, topic=100, notes=250),
}


class TemplateWriter:
    """Writes drafts from the templates of this package; it cannot follow an instruction.

    Emails and text messages quote the signal's title only for a promise and a question, which the customer
    knows. Any other title is a note about the customer ("Looking for a second supplier"). It is in talking
    points only, like the signal's body, the title of the interaction and the instruction.
    """

    name: Final = "template"

    def write(self, request: DraftRequest) -> WrittenDraft:
        """Write one draft; equal requests give equal drafts."""
        kind = request.signal_kind if request.signal_kind in KINDS else GENERAL
        path = f"{request.channel}/{request.language}"
        template = _environment().get_template(f"{path}.j2")
        context = template.new_context(_facts(request, kind))
        parts = {name: "".join(block(context)).strip() for name, block in template.blocks.items()}
        limits = LIMITS[request.channel]
        tidy = one_line if request.channel == "text" else lines
        return WrittenDraft(
            subject=one_line(parts["subject"], limits.subject) if limits.subject is not None else None,
            body=tidy(parts["body"], limits.body),
            writer=self.name,
            template_id=f"{path}/{kind}@{parts['version']}",
            model=None,
            prompt_hash=None,
        )

    def close(self) -> None:
        """Nothing is open."""


def _facts(request: DraftRequest, kind: str) -> dict[str, Any]:
    """Facts under the names that the templates use; ``""`` for a text that is missing or blank.

    Hazard: facts are values of a template, never part of its source, so that template syntax in customer
    text has no effect.
    """
    lengths = _LENGTHS[request.channel]
    return {
        "kind": kind,
        "name": _line(request.person_name, lengths.name),
        "sender": _line(request.sender_name, lengths.name),
        "topic": _topic(request.signal_title, lengths.topic, request.channel),
        "notes": _lines(request.signal_body, lengths.notes),
        "wish": _lines(request.instruction, lengths.notes),
        "interaction_type": request.interaction_type,
        "interaction_title": _topic(request.interaction_title, lengths.topic, request.channel),
        "interaction_at": request.interaction_at,
        "next_at": request.next_at,
    }


def _line(text: str | None, limit: int) -> str:
    return one_line(_without_html(text), limit)


def _lines(text: str | None, limit: int) -> str:
    return lines(_without_html(text), limit) if limit else ""


def _without_html(text: str | None) -> str:
    return without_html((text or "")[:_READ])


def _topic(title: str | None, limit: int, channel: Channel) -> str:
    """Title that is quoted within a sentence: without its full stop and without inner quotation marks."""
    full = _line(title, _READ).translate(_INNER_QUOTES).strip("' ").rstrip(" .:;,…")
    # Hazard: one character outside the GSM alphabet, such as "…", halves the characters per text message.
    return shorten(full, limit, "..." if channel == "text" else "…")


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # plain text
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _make() -> Writer:
    return TemplateWriter()


DECLARATION: Final = WriterDeclaration(
    name=TemplateWriter.name,
    summary="Fills a template per channel, language and kind of signal with stored facts, without a network.",
    make=_make,
)
