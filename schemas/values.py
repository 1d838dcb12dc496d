"""The value types that commands share, with their limits."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints
from pydantic.json_schema import WithJsonSchema

from schemas.instants import parse_instant

Status = Literal["planned", "done", "canceled"]
EntityKind = Literal["person", "company"]

#: Anchored for pydantic, whose ``$`` is the end of the text. Hazard: ``$`` of ``re`` also matches before a
#: final line feed; there use ``fullmatch``, never ``match``.
UUID_PATTERN: Final = r"^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"
_TYPE_CODE: Final = re.compile(r"\w[\w.:-]*")


def no_nul(text: str) -> str:
    """The text as it is.

    :raises ValueError: it holds NUL.
    """
    # Postgres cannot store NUL, and a control character in a title is never meant.
    if "\x00" in text:
        raise ValueError("must not contain the NUL character")
    return text


@lru_cache(maxsize=4096)
def normalize_interaction_type(text: str) -> str:
    """The dictionary code of a type as a person may write it.

    Compatibility-normalised (NFKC), lower case, white space and dashes as one underscore:
    ``" Follow-up  Call"`` is ``follow_up_call``.

    :raises ValueError: nothing is left, or it holds other than letters, digits and ``_ . :``.
    """
    code = re.sub(r"[\s\-_]+", "_", unicodedata.normalize("NFKC", text).strip().lower()).strip("_")
    if not code or not _TYPE_CODE.fullmatch(code):
        raise ValueError("must name an interaction type with letters, digits, spaces or _ . : -")
    return code


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
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
CommandId = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(no_nul)]
