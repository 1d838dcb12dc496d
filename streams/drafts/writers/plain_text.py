"""Check a model's answer: schema, plain text, known addresses, limits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError

from streams.drafts.writers.cleaning.customer_text import is_blank, lines
from streams.drafts.writers.cleaning.markup import without_markup
from streams.drafts.writers.cleaning.urls import addresses, without_unknown
from streams.drafts.writers.interface import LIMITS, Channel, DraftRequest
from streams.drafts.writers.prompt import Prompt, limits_in_words

#: "[Your name]", "{{ date }}": a hole that a person would have to notice and fill in.
_PLACEHOLDER: Final = re.compile(r"\[[^\[\]\n]{1,60}\]|\{[^{}\n]{1,60}\}")
#: Characters that are missing in the clean text, if they were Markdown in the source.
_EMPHASIS: Final = str.maketrans(dict.fromkeys("*_`\\"))
#: Longest string of an answer that is cleaned, as a multiple of its limit.
_LONGEST: Final = 2


class UnusableAnswerError(Exception):
    """The answer is not a draft.

    :param problem: our words for the model and for users, without text of the answer.
    """

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    body: str


class _EmailAnswer(_Answer):
    subject: str


def answer_schema(channel: Channel) -> dict[str, Any]:
    """JSON schema of an answer, in the subset that strict structured outputs support."""
    names = ["subject", "body"] if LIMITS[channel].subject is not None else ["body"]
    return {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": names,
        "additionalProperties": False,
    }


def check_answer(content: str, request: DraftRequest, prompt: Prompt) -> tuple[str | None, str]:
    """Read an answer and clean its texts.

    :returns: the subject, for emails only, and the body.
    :raises UnusableAnswerError: it is not JSON of the schema, or a text is blank, too long, has a
        placeholder, or repeats the prompt.
    """
    limits = LIMITS[request.channel]
    try:
        if limits.subject is None:
            answer: _Answer = _Answer.model_validate_json(content)
        else:
            answer = _EmailAnswer.model_validate_json(content)
    except ValidationError:
        raise UnusableAnswerError("it is not a JSON object of the requested form") from None
    sources = list(_texts(request))
    texts = {
        part: _checked(part, text, sources, prompt.marker, request.channel)
        for part, text in answer.model_dump().items()
    }
    return " ".join(texts["subject"].split()) if "subject" in texts else None, texts["body"]


def _checked(part: str, text: str, sources: list[str], marker: str, channel: Channel) -> str:
    limit = getattr(LIMITS[channel], part)
    if marker in text:
        raise UnusableAnswerError(f"its {part} repeats the marker")
    if len(text) > _LONGEST * limit:
        raise UnusableAnswerError(f"its {part} is too long. {limits_in_words(channel)}")
    text = without_markup(text)
    if _has_placeholder(text, sources):
        raise UnusableAnswerError(f"its {part} has a placeholder")
    plain = lines(without_unknown(text, addresses(sources)), len(text))
    if is_blank(plain) or not any(character.isalnum() for character in plain):
        raise UnusableAnswerError(f"its {part} is blank")
    if len(plain) > limit:
        raise UnusableAnswerError(f"its {part} is too long. {limits_in_words(channel)}")
    return plain


def _has_placeholder(text: str, sources: list[str]) -> bool:
    """Report whether a text has brackets that look like a placeholder and are not in a source."""
    known = [source.translate(_EMPHASIS) for source in sources]
    holes = [hole.translate(_EMPHASIS) for hole in _PLACEHOLDER.findall(text)]
    return any(not any(hole in source for source in known) for hole in holes)


def _texts(request: DraftRequest) -> Iterator[str]:
    """Texts of the request, of which an answer can repeat addresses."""
    for text in (
        request.person_name,
        request.sender_name,
        request.signal_title,
        request.signal_body,
        request.interaction_title,
        request.instruction,
    ):
        if text is not None:
            yield text
