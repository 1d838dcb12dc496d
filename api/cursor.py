"""Keyset cursors: opaque, and bound to the sort, direction and filters of their list."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final

import orjson

from api.problems import LegacyError
from api.queries.keyset import After
from schemas.instants import format_instant, parse_instant
from schemas.values import UUID_PATTERN

_VERSION: Final = 1
_UUID: Final = re.compile(UUID_PATTERN)
_LARGEST: Final = 2**31
#: Longest cursor: fits a title of 500 control characters, which take six bytes each in JSON.
MAX_LENGTH: Final = 6000


def make_cursor(sort: str, direction: str, filters: Mapping[str, Any], key: Any, identity: str) -> str:
    """The cursor that resumes after a row.

    :param key: the row's value of the sort field: an aware datetime (microsecond precision), a text, a
        number or ``None``.
    """
    value = format_instant(key) if isinstance(key, datetime) else key
    cursor = {
        "v": _VERSION,
        "s": sort,
        "d": direction,
        "f": filter_hash(filters),
        "k": value,
        "id": identity,
    }
    return urlsafe_b64encode(orjson.dumps(cursor)).rstrip(b"=").decode()


def read_cursor(text: str, sort: str, direction: str, filters: Mapping[str, Any], kind: type) -> After:
    """Decode a cursor.

    :param kind: type of the sort field's values: ``datetime``, ``str`` or ``int``.
    :raises LegacyError: 400 ``Invalid cursor``: malformed, or made for another sort or other filters.
    """
    try:
        cursor = orjson.loads(urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)))
        made_for = cursor["v"], cursor["s"], cursor["d"], cursor["f"]
        after = After(_value(cursor["k"], kind), str(cursor["id"]))
    except (ValueError, TypeError, KeyError):
        raise _invalid() from None
    if made_for != (_VERSION, sort, direction, filter_hash(filters)) or not _UUID.fullmatch(after.id):
        raise _invalid()
    return after


def _invalid() -> LegacyError:
    text = "Invalid cursor"
    return LegacyError(
        "invalid_cursor",
        "The cursor does not belong to this list, sort and filters. Start again without a cursor.",
        error=text,
        status=400,
    )


def _value(value: Any, kind: type) -> Any:
    if value is None:
        return None
    if kind is datetime:
        if not isinstance(value, str):
            raise TypeError
        return parse_instant(value)
    if kind is str and isinstance(value, str) and "\x00" not in value:
        return value
    if kind is int and type(value) is int and abs(value) < _LARGEST:
        return value
    raise TypeError


def filter_hash(filters: Mapping[str, Any]) -> str:
    """A hash of the filters that are set."""
    given = {name: value for name, value in filters.items() if value is not None}
    text = orjson.dumps(given, option=orjson.OPT_SORT_KEYS, default=str)
    return blake2b(text, digest_size=8).hexdigest()
