"""Parse a record as a CloudEvent: attributes and data (CloudEvents 1.0.2, JSON format, Kafka binding)."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson

from audit.history import Record

#: Maximum uncompressed bytes of a command record's value and key.
MOST_VALUE: Final = 4 * 1024 * 1024
MOST_KEY: Final = 64 * 1024
_CONTENT_TYPE: Final = "content-type"
#: May occur twice: instrumentation can add its own next to the publisher's.
_TRACE: Final = "ce_traceparent"
#: Decode an Avro value to the full name of its record and its data; raises ``ValueError``.
DecodeNamed = Callable[[bytes], tuple[str, Any]]


@dataclass(slots=True)
class CloudEvent:
    """One CloudEvent.

    :param schema: full name of the Avro record schema; ``None`` for JSON data.
    """

    attributes: dict[str, Any]
    data: Any
    schema: str | None = None


def headers_of(record: Record) -> dict[str, bytes]:
    """Headers with a value, by name."""
    return {
        _CONTENT_TYPE if name.lower() == _CONTENT_TYPE else name: value
        for name, value in record.headers
        if value is not None
    }


def is_binary(headers: dict[str, bytes]) -> bool:
    """Return whether the record is in binary content mode: attributes in headers, data in the value."""
    structured = headers.get(_CONTENT_TYPE, b"").lower().startswith(b"application/cloudevents")
    return not structured and ("ce_type" in headers or "ce_id" in headers)


def read_event(record: Record, headers: dict[str, bytes], decode: DecodeNamed) -> CloudEvent:
    """Parse a record of the commands topic.

    :raises ValueError: it is not a CloudEvent, or its data cannot be decoded.
    """
    value = record.value
    if not record.readable:
        raise ValueError("a header name is not UTF-8")
    if len(value or b"") > MOST_VALUE or len(record.key or b"") > MOST_KEY:
        raise ValueError("larger than the limit for commands")
    if value is None:
        raise ValueError("no value")
    given = [name for name, text in record.headers if name.startswith("ce_") and text is not None]
    if any(given.count(name) > 1 for name in set(given) - {_TRACE}):
        raise ValueError("a header occurs twice")
    attributes: dict[str, Any] = {
        name.removeprefix("ce_"): text.decode()
        for name, text in headers.items()
        if name.startswith("ce_") or name == "traceparent"
    }
    headers.get(_CONTENT_TYPE, b"").decode()  # a non-UTF-8 content type makes the record undecodable
    if is_binary(headers):
        return _with_data(attributes, value, decode)
    event = _object(value)
    given_members = {name: member for name, member in event.items() if member is not None}
    data, encoded = given_members.pop("data", None), given_members.pop("data_base64", None)
    attributes |= given_members
    if encoded is None:
        return CloudEvent(attributes, {} if data is None else data)
    if data is not None or not isinstance(encoded, str):
        raise ValueError("data_base64 is not a string, or occurs together with data")
    return _with_data(attributes, b64decode(encoded, validate=True), decode)


def _with_data(attributes: dict[str, Any], value: bytes, decode: DecodeNamed) -> CloudEvent:
    if value[:1] == b"\x00":
        name, data = decode(value)
        return CloudEvent(attributes, data, name)
    return CloudEvent(attributes, _object(value))


def _object(text: bytes) -> dict[str, Any]:
    """Parse a JSON object; duplicate member names are refused.

    :raises ValueError: not a JSON object, or a name occurs twice.
    """
    found = orjson.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    with suppress(RecursionError):  # nested deeper than any command: refused later for its depth
        json.loads(text, object_pairs_hook=_once, parse_int=str, parse_float=str)
    return found


def _once(members: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise ValueError("a name occurs twice in one object")
