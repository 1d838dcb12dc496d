"""Value types of commands, with their limits."""

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

#: Anchored for pydantic, where ``$`` matches only at the end. Hazard: in ``re``, ``$`` also matches before a
#: final line feed; use ``fullmatch`` there, never ``match``.
UUID_PATTERN: Final = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

MAX_ATTRIBUTE_CHARACTERS: Final = 200
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f]")


def attribute_text(text: str) -> str:
    """Check the text of a CloudEvents attribute (CloudEvents 1.0.2 section 3.1, "String").

    :returns: the text, unchanged.
    :raises ValueError: it is too long, has a control character, or leading or trailing white space.
    """
    if len(text) > MAX_ATTRIBUTE_CHARACTERS or _CONTROL.search(text) or text != text.strip():
        raise ValueError(
            f"must have at most {MAX_ATTRIBUTE_CHARACTERS} characters, no control characters, and no leading"
            " or trailing white space"
        )
    return text


def no_nul(text: str) -> str:
    """Check that a text has no NUL character, which Postgres cannot store.

    :returns: the text, unchanged.
    :raises ValueError: it contains NUL.
    """
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
#: Only JSON's ``true`` and ``false``, not 1, "yes" or "true".
Flag = Annotated[bool, Field(strict=True)]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
CommandId = Annotated[str, StringConstraints(min_length=1), AfterValidator(attribute_text)]
#: ``u.`` and the base64 of a command id, which has at most 200 characters (800 bytes of UTF-8).
UndoToken = Annotated[str, StringConstraints(min_length=1, max_length=1100), AfterValidator(no_nul)]
