"""CloudEvents 1.0 on Kafka: unwrap the attributes and data of a record, in binary or structured mode.

Kafka protocol binding 1.0.2; JSON event format 1.0.2. Attributes are collected as they are read, so that a
refused record can still be answered with what was readable.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Any, Final

import orjson

from schemas.cloudevent_headers import HEADER_OF
from schemas.command import MAX_KEY_BYTES, MAX_VALUE_BYTES
from schemas.errors import FieldError, Reject
from schemas.incoming_record import IncomingRecord
from schemas.unique_members import pointer_of, repeated_member

#: Attributes of a command that are text.
TEXTS: Final = frozenset(
    {
        *("id", "source", "type", "tenantid", "organizationid", "entityid"),
        *("subject", "syncorigin", "correlationid", "causationid", "actorid", "traceparent"),
    }
)
_DATA: Final = frozenset({"data", "data_base64"})
_KNOWN: Final = frozenset({*TEXTS, "specversion", "time"})
_ATTRIBUTE_OF: Final = {header: name for name, header in HEADER_OF.items()}


class Undecodable(Reject):
    """The record's envelope or data cannot be read."""


def open_event(record: IncomingRecord, attributes: dict[str, Any]) -> dict[str, Any] | bytes:
    """Unwrap a record: fill in ``attributes``, return the data.

    :param attributes: filled as far as it can be read, also when the record is refused: the result needs it.
    :returns: the data of a structured event, or the bytes of the data when they are separate from the JSON.
    :raises Reject: the record is not a CloudEvent.
    """
    if "headers" in record.left_out:
        attributes.update(_readable(record.value))
        raise Undecodable("undecodable", "the name of a header is not UTF-8 text")
    content_type = ""
    twice: str | None = None
    try:
        for name, raw in record.headers:
            if raw is None:
                continue
            attribute = _ATTRIBUTE_OF.get(name) or (name[3:] if name.startswith("ce_") else None)
            if attribute is not None:
                # Instrumentation may add a second traceparent: the last one wins.
                if attribute in attributes and attribute != "traceparent":
                    twice = attribute
                attributes[attribute] = raw.decode()
            elif name.lower() == "content-type":
                content_type = raw.decode().lower()
    except UnicodeDecodeError:
        raise Undecodable("undecodable", "a CloudEvents header is not UTF-8 text") from None
    if twice is not None:
        raise repeated_name((twice,), attributes)
    if record.left_out:
        raise Undecodable(
            "too_large",
            f"the {' and the '.join(record.left_out)} of the record is too large: a value has at most"
            f" {MAX_VALUE_BYTES} bytes without compression, a key {MAX_KEY_BYTES}",
        )
    if record.value is None:
        raise Undecodable("undecodable", "the record has no value; a command cannot be a tombstone")
    structured = content_type.startswith("application/cloudevents")
    if not structured and ("type" in attributes or "id" in attributes):
        return record.value
    event = json_object(record.value)
    # A null attribute is absent (CloudEvents JSON 1.0.2 section 2.2).
    attributes |= {name: it for name, it in event.items() if it is not None and name not in _DATA}
    path = repeated_member(record.value, event)
    if path is not None:
        raise repeated_name(path, attributes)
    data, encoded = event.get("data"), event.get("data_base64")
    if encoded is not None:
        return _decoded(encoded, alone=data is None)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise Undecodable("undecodable", "the CloudEvent's data is not an object")
    return data


def json_object(value: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        raise Undecodable("undecodable", "the value is not JSON in UTF-8") from None
    if not isinstance(parsed, dict):
        raise Undecodable("undecodable", "the value is not a JSON object")
    return parsed


def repeated_name(path: tuple[str, ...], attributes: dict[str, Any]) -> Reject:
    """Refuse a name that occurs twice; an attribute of that name is discarded."""
    code, detail = "duplicate_field", "occurs twice; remove one"
    if path[0] == "data" and len(path) > 1:
        return Undecodable(code, f"the member {pointer_of(path[1:])} {detail}", pointer=pointer_of(path[1:]))
    attributes.pop(path[0], None)
    return attribute_error(path[0][:100], code, detail)


def _decoded(encoded: Any, *, alone: bool) -> bytes:
    if not alone:
        raise attribute_error("data_base64", "duplicate_field", "and data exclude each other; remove one")
    try:
        return b64decode(encoded, validate=True)
    except (NotBase64, TypeError, ValueError):
        raise attribute_error("data_base64", "undecodable", "is not base64") from None


def _readable(value: bytes | None) -> dict[str, Any]:
    """Known attributes of a structured event in a record that is refused anyway: the result needs them."""
    try:
        found = json_object(value or b"")
    except Undecodable:
        return {}
    return {name: found[name] for name in found if name in _KNOWN}


def attribute_error(name: str, code: str, detail: str) -> Undecodable:
    return Undecodable(
        code,
        f"the CloudEvents attribute {name} {detail}",
        errors=(FieldError(code, detail, attribute=name),),
    )
