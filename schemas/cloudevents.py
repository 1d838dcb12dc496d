"""CloudEvents 1.0 on Kafka: unwrap the attributes and data of a record, in binary or structured mode.

Kafka protocol binding 1.0.2; JSON event format 1.0.2. Attributes are collected as they are read, so that a
refused record can still be answered with what was readable.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from functools import lru_cache
from typing import Any, Final

import orjson

from schemas.cloudevent_headers import HEADER_OF
from schemas.command import MAX_KEY_BYTES, MAX_VALUE_BYTES, Envelope, PartialEnvelope
from schemas.errors import FieldError, Reject
from schemas.incoming_record import IncomingRecord
from schemas.payloads import canonical_type
from schemas.unique_members import pointer_of, repeated_member
from schemas.values import UUID_PATTERN, attribute_text

_UUID: Final = re.compile(UUID_PATTERN)
_OPTIONAL: Final = {
    "subject": "subject",
    "syncorigin": "sync_origin",
    "correlationid": "correlation_id",
    "causationid": "causation_id",
    "actorid": "actor_id",
    "traceparent": "traceparent",
}
_IDS: Final = ("tenantid", "organizationid", "entityid")
_TEXTS: Final = frozenset({*_OPTIONAL, *_IDS, "id", "source", "type"})
_REQUIRED: Final = ("id", "source", "type", "tenantid", "organizationid", "entityid")
_DATA: Final = frozenset({"data", "data_base64"})
_KNOWN: Final = frozenset({*_TEXTS, "specversion", "time"})
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
    attributes.update((name, it) for name, it in event.items() if it is not None and name not in _DATA)
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


def read_envelope(attributes: dict[str, Any]) -> Envelope:
    """Validate the attributes of a command.

    :raises Reject: one is missing or invalid.
    """
    for name in _REQUIRED:
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            raise Undecodable(
                "missing_attribute",
                f"the CloudEvents attribute {name} is missing or not a string",
                errors=(FieldError("missing_attribute", "is required", attribute=name),),
            )
    if attributes.get("specversion", "1.0") != "1.0":
        raise _attribute("specversion", "unsupported_specversion", "must be 1.0")
    for name, value in attributes.items():
        if name in _TEXTS:
            _check_text(name, value)
    for name in _IDS:
        if not _is_scope_id(attributes[name]):
            raise _attribute(name, "invalid_attribute", "must be a lower-case UUID")
    get = attributes.get
    return Envelope(
        id=attributes["id"],
        type=canonical_type(attributes["type"]),
        source=attributes["source"],
        tenant_id=attributes["tenantid"],
        organization_id=attributes["organizationid"],
        entity_id=attributes["entityid"],
        subject=get("subject"),
        sync_origin=get("syncorigin"),
        correlation_id=get("correlationid"),
        causation_id=get("causationid"),
        actor_id=get("actorid"),
        traceparent=get("traceparent"),
    )


def partial_envelope(attributes: dict[str, Any]) -> PartialEnvelope:
    """Attributes of a refused record that are safe to use: valid attribute text, ids only as UUIDs."""
    texts = {name: value for name, value in attributes.items() if _is_sound(value)}
    ids = {name: texts[name] for name in _IDS if _is_id(texts, name)}
    return PartialEnvelope(
        id=texts.get("id"),
        type=canonical_type(texts["type"]) if "type" in texts else None,
        source=texts.get("source"),
        tenant_id=ids.get("tenantid"),
        organization_id=ids.get("organizationid"),
        entity_id=ids.get("entityid"),
        **{field: texts.get(name) for name, field in _OPTIONAL.items() if field != "subject"},
    )


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
    return _attribute(path[0][:100], code, detail)


def _decoded(encoded: Any, *, alone: bool) -> bytes:
    if not alone:
        raise _attribute("data_base64", "duplicate_field", "and data exclude each other; remove one")
    try:
        return b64decode(encoded, validate=True)
    except (NotBase64, TypeError, ValueError):
        raise _attribute("data_base64", "undecodable", "is not base64") from None


def _readable(value: bytes | None) -> dict[str, Any]:
    """Known attributes of a structured event in a record that is refused anyway: the result needs them."""
    try:
        found = json_object(value or b"")
    except Undecodable:
        return {}
    return {name: found[name] for name in found if name in _KNOWN}


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise _attribute(name, "invalid_attribute", "must be a string")
    try:
        attribute_text(value)
    except ValueError as error:
        raise _attribute(name, "invalid_attribute", str(error)) from None


@lru_cache(maxsize=8192)
def _is_scope_id(text: str) -> bool:
    return _UUID.fullmatch(text) is not None and text == text.lower()


def _attribute(name: str, code: str, detail: str) -> Undecodable:
    return Undecodable(
        code,
        f"the CloudEvents attribute {name} {detail}",
        errors=(FieldError(code, detail, attribute=name),),
    )


def _is_sound(value: Any) -> bool:
    try:
        return isinstance(value, str) and attribute_text(value) != ""
    except ValueError:
        return False


def _is_id(texts: dict[str, str], name: str) -> bool:
    return name in texts and _UUID.fullmatch(texts[name]) is not None and texts[name] == texts[name].lower()
