"""Date values of the deprecated routes: every form that their clients send, read as UTC.

The old routes passed each value to JavaScript's ``new Date()``. The forms that it defines are accepted here;
what it merely tolerates ("March 1, 2026") is refused. Without an offset a value is UTC.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, Final

from pydantic import PlainValidator
from pydantic.json_schema import WithJsonSchema

from schemas.instants import parse_instant

# ECMA-262, "Date Time String Format"; some clients put a space in place of the T. `fromisoformat` alone
# accepts more (week dates, compact forms), and not the same in every version of Python.
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
_WANTED: Final = (
    "must be a date such as 2026-03-01, a date-time such as 2026-03-01T09:00:00Z, an RFC 2822 date,"
    " or milliseconds since 1970"
)


def parse_old_date(value: Any) -> datetime:
    """Read one date value as an instant.

    :param value: a text (ISO 8601 as in ECMA-262, date-only included, or RFC 2822), or a number of
        milliseconds since 1970.
    :raises ValueError: none of these, or outside 1900–2199.
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
    raise ValueError(_WANTED)


def _epoch(milliseconds: float) -> datetime:
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except (OverflowError, ValueError):  # infinite, or not a number
        raise ValueError("must lie between 1900-01-01 and 2199-12-31") from None


def _iso(match: re.Match[str]) -> datetime:
    day, minute, second, fraction, offset = match.groups()
    if minute is None and offset is not None:
        raise ValueError(_WANTED)
    text = f"{day}T{minute or '00:00'}{second or ':00'}.{(fraction or '0')[:6]:0<6}"
    offset = "+00:00" if offset is None or offset in "Zz" else offset
    if ":" not in offset:
        offset = f"{offset[:3]}:{offset[3:]}"
    try:
        return datetime.fromisoformat(text + offset)
    except ValueError:
        raise ValueError("does not name a day and hour of the calendar") from None


def _rfc_2822(text: str) -> datetime:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        raise ValueError("does not name a day and hour of the calendar") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


#: A date value in a body of the deprecated routes.
OldDate = Annotated[
    datetime,
    PlainValidator(parse_old_date),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "description": "ISO 8601, also a date alone (UTC), or RFC 2822."},
                {"type": "integer", "description": "Milliseconds since 1970."},
            ]
        }
    ),
]
