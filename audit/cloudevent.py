"""A record as a CloudEvent: its attributes and its data (CloudEvents 1.0.2, JSON and Kafka)."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson

from audit.history import Rec

#: Bytes of a value and of a key, uncompressed, that a record of the commands topic may have.
MOST_VALUE: Final = 4 * 1024 * 1024
MOST_KEY: Final = 64 * 1024
_CONTENT_TYPE: Final = "content-type"
#: Instrumentation may add it beside the publisher's.
_TRACE: Final = "ce_traceparent"
#: Reads an Avro value with the full name of its record; raises ``ValueError`` when it cannot.
DecodeNamed = Callable[[bytes], tuple[str, Any]]


@dataclass(slots=True)
class CloudEvent:
    """One event.

    :param schema: full name of the Avro record that the data are; ``None``: they are JSON.
    """

    attributes: dict[str, Any]
    data: Any
    schema: str | None = None


def headers_of(record: Rec) -> dict[str, bytes]:
    """The headers that have a value, by name."""
    return {
        _CONTENT_TYPE if name.lower() == _CONTENT_TYPE else name: value
        for name, value in record.headers
        if value is not None
    }


def is_binary(headers: dict[str, bytes]) -> bool:
    """Return whether the attributes are headers and the value is the data."""
    structured = headers.get(_CONTENT_TYPE, b"").lower().startswith(b"application/cloudevents")
    return not structured and ("ce_type" in headers or "ce_id" in headers)


def read_event(record: Rec, headers: dict[str, bytes], decode: DecodeNamed) -> CloudEvent:
    """Read a record of the commands topic.

    :raises ValueError: it is not a CloudEvent, or its data cannot be decoded.
    """
    value = record.value
    if not record.readable:
        raise ValueError("the name of a header is not UTF-8")
    if len(value or b"") > MOST_VALUE or len(record.key or b"") > MOST_KEY:
        raise ValueError("larger than a command may be")
    if value is None:
        raise ValueError("no value")
    given = [name for name, text in record.headers if name.startswith("ce_") and text is not None]
    if any(given.count(name) > 1 for name in set(given) - {_TRACE}):
        raise ValueError("a header is given twice")
    attributes: dict[str, Any] = {
        name.removeprefix("ce_"): text.decode()
        for name, text in headers.items()
        if name.startswith("ce_") or name == "traceparent"
    }
    headers.get(_CONTENT_TYPE, b"").decode()  # a content type that is not text makes the record unreadable
    if is_binary(headers):
        return _with_data(attributes, value, decode)
    event = _object(value)
    given_members = {name: member for name, member in event.items() if member is not None}
    data, encoded = given_members.pop("data", None), given_members.pop("data_base64", None)
    attributes |= given_members
    if encoded is None:
        return CloudEvent(attributes, {} if data is None else data)
    if data is not None or not isinstance(encoded, str):
        raise ValueError("data_base64 is not a text, or is given beside data")
    return _with_data(attributes, b64decode(encoded, validate=True), decode)


def _with_data(attributes: dict[str, Any], value: bytes, decode: DecodeNamed) -> CloudEvent:
    if value[:1] == b"\x00":
        name, data = decode(value)
        return CloudEvent(attributes, data, name)
    return CloudEvent(attributes, _object(value))


def _object(text: bytes) -> dict[str, Any]:
    """A JSON object in which no name is given twice.

    :raises ValueError: it is something else.
    """
    found = orjson.loads(text)
    if not isinstance(found, dict):
        raise ValueError("not an object")
    with suppress(RecursionError):  # deeper than any command: refused as such
        json.loads(text, object_pairs_hook=_once, parse_int=str, parse_float=str)
    return found


def _once(members: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise ValueError("a name is given twice in one object")
