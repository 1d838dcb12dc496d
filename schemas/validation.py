"""Conversion of pydantic's errors to field errors, without the rejected values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from schemas.errors import FieldError
from schemas.unique_members import pointer_of

MAX_ERRORS: Final = 20
_CODES: Final = {
    "extra_forbidden": ("unknown_field", "is not a field of this command; remove it"),
    "missing": ("missing_field", "is required"),
    "string_too_long": ("too_long", "must have at most {max_length} characters"),
    "string_too_short": ("too_short", "must not be empty"),
    "string_type": ("invalid_type", "must be a string"),
    "int_type": ("invalid_type", "must be an integer"),
    "int_parsing": ("invalid_type", "must be an integer"),
    "bool_type": ("invalid_type", "must be true or false"),
    "bool_parsing": ("invalid_type", "must be true or false"),
    "greater_than_equal": ("out_of_range", "must be at least {ge}"),
    "less_than_equal": ("out_of_range", "must be at most {le}"),
    "string_pattern_mismatch": (
        "invalid_format",
        "has an invalid format; expected a UUID, or a colour such as #2563EB",
    ),
    "literal_error": ("invalid_value", "must be one of {expected}"),
    "json_invalid": ("malformed_json", "the body is not valid JSON in UTF-8"),
    "model_attributes_type": ("invalid_type", "must be a JSON object"),
    "dict_type": ("invalid_type", "must be a JSON object"),
}


def field_errors(items: Iterable[Mapping[str, Any]], *, request: bool = False) -> tuple[FieldError, ...]:
    """Convert the first ``MAX_ERRORS`` errors of pydantic.

    :param request: the locations start with the part of an HTTP request (FastAPI): ``body`` becomes a JSON
        pointer (RFC 6901) into the body; for the other parts, ``attribute`` is the parameter's name.
    """
    found = []
    for item in list(items)[:MAX_ERRORS]:
        code, detail = _CODES.get(item["type"], ("invalid_value", "is not valid"))
        if item["type"] == "value_error":
            detail = str(item["ctx"]["error"])
        else:
            detail = detail.format(**item.get("ctx", {}))
        location = [str(part) for part in item["loc"]]
        if not request:
            found.append(FieldError(code, detail, pointer_of(location)))
        elif location and location[0] == "body":
            # The location of a malformed body is a byte position, not a member.
            path = [] if item["type"] == "json_invalid" else location[1:]
            found.append(FieldError(code, detail, pointer_of(path)))
        else:
            found.append(FieldError(code, detail, attribute=".".join(location[1:])[:200]))
    return tuple(found)
