"""The value types that commands share, with their limits."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints
from pydantic.json_schema import WithJsonSchema

from schemas.instants import parse_instant
from schemas.type_codes import normalize_interaction_type

Status = Literal["planned", "done", "canceled"]
EntityKind = Literal["person", "company"]

#: Anchored for pydantic, whose ``$`` is the end of the text. Hazard: ``$`` of ``re`` also matches before a
#: final line feed; there use ``fullmatch``, never ``match``.
UUID_PATTERN: Final = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

MAX_ATTRIBUTE_CHARACTERS: Final = 200
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


def attribute_text(text: str) -> str:
    """Check the text of a CloudEvents attribute (CloudEvents 1.0.2 section 3.1, "String").

    :returns: the text, unchanged.
    :raises ValueError: too long, a control character, or white space at either end.
    """
    if len(text) > MAX_ATTRIBUTE_CHARACTERS or _CONTROL.search(text) or text != text.strip():
        raise ValueError(
            f"must be a text of at most {MAX_ATTRIBUTE_CHARACTERS} characters, without control characters and"
            " without white space at either end"
        )
    return text


def no_nul(text: str) -> str:
    """The text as it is.

    :raises ValueError: it holds NUL.
    """
    # Postgres cannot store NUL, and a control character in a title is never meant.
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


UuidText = Annotated[
    str,
    StringConstraints(to_lower=True, pattern=UUID_PATTERN),
    WithJsonSchema({"type": "string", "format": "uuid"}),
]
Instant = Annotated[
    datetime, PlainValidator(parse_instant), WithJsonSchema({"type": "string", "format": "date-time"})
]
Title = Annotated[str, StringConstraints(max_length=500), AfterValidator(no_nul)]
Body = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(no_nul)]
ShortText = Annotated[str, StringConstraints(max_length=100), AfterValidator(no_nul)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(no_nul)]
Email = Annotated[str, StringConstraints(max_length=320), AfterValidator(no_nul)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(no_nul)]
InteractionType = Annotated[
    str, StringConstraints(min_length=1, max_length=100), AfterValidator(normalize_interaction_type)
]
Priority = Annotated[int, Field(ge=0, le=100, strict=True)]
#: JSON's true or false alone: not 1, "yes" or "true".
Flag = Annotated[bool, Field(strict=True)]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
CommandId = Annotated[str, StringConstraints(min_length=1), AfterValidator(attribute_text)]
#: ``u.`` and the base64 of a command id: 200 characters are at most 800 bytes of UTF-8.
UndoToken = Annotated[str, StringConstraints(min_length=1, max_length=1100), AfterValidator(no_nul)]
