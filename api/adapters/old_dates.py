"""Parse date values of the deprecated routes, in every format that their clients send.

The old routes passed each value to JavaScript's ``new Date()``. The formats that ECMAScript defines are
accepted; those that it merely tolerates ("March 1, 2026") are rejected. A value without an offset is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final

from pydantic import PlainValidator
from pydantic.json_schema import WithJsonSchema

from schemas.instants import parse_instant

# ECMA-262, "Date Time String Format"; some clients send a space instead of the T. `fromisoformat` alone
# accepts more (week dates, compact formats), and its set differs between Python versions.
_ISO: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})"
    r"(?:[Tt ]((?:[01]\d|2[0-3]):[0-5]\d)(?:(:[0-5]\d)(?:[.,](\d{1,9}))?)?)?"
    r"([Zz]|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
_RFC_2822: Final = re.compile(
    r"(?:[A-Za-z]{3}, *)?\d{1,2} [A-Za-z]{3} \d{4} \d{2}:\d{2}(?::\d{2})?(?: .{1,20})?", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ACCEPTED_FORMATS: Final = (
    "must be a date such as 2026-03-01, a date-time such as 2026-03-01T09:00:00Z, an RFC 2822 date,"
    " or milliseconds since 1970"
)


def parse_old_date(value: Any) -> datetime:
    """Parse one date value.

    :param value: text (ISO 8601 as in ECMA-262 including date-only, or RFC 2822), or milliseconds since
        1970.
    :raises ValueError: another format, or outside 1900–2199.
    """
    if isinstance(value, datetime):
        return parse_instant(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return parse_instant(_epoch(value))
    text = value.strip() if isinstance(value, str) else ""
    if (match := _ISO.fullmatch(text)) is not None:
        return parse_instant(_iso(match))
    if _RFC_2822.fullmatch(text):
        return parse_instant(_rfc_2822(text))
    raise ValueError(_ACCEPTED_FORMATS)


def _epoch(milliseconds: float) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):  # infinite, or not a number
        raise ValueError("must be between 1900-01-01 and 2199-12-31") from None


def _iso(match: re.Match[str]) -> datetime:
    day, minute, second, fraction, offset = match.groups()
    if minute is None and offset is not None:
        raise ValueError(_ACCEPTED_FORMATS)
    text = f"{day}T{minute or '00:00'}{second or ':00'}.{(fraction or '0')[:6]:0<6}"
    offset = "+00:00" if offset is None or offset in "Zz" else offset
    if ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    try:
        return datetime.fromisoformat(text + offset)
    except ValueError:
        raise ValueError("does not name a date and time that exists") from None


def _rfc_2822(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        raise ValueError("does not name a date and time that exists") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


#: Type of a date value in a body of the deprecated routes.
OldDate = Annotated[
    datetime,
    PlainValidator(parse_old_date),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "description": "ISO 8601 (a date alone is midnight UTC) or RFC 2822."},
                {"type": "integer", "description": "Milliseconds since 1970."},
            ]
        }
    ),
]
