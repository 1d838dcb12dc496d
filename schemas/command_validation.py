"""Validate the data of a command against its model and its envelope."""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Any, Final

import orjson
from pydantic import ValidationError

from schemas.command import Command, Envelope
from schemas.errors import FieldError, Reject
from schemas.incoming_record import IncomingRecord
from schemas.instants import from_epoch_ms, parse_instant
from schemas.payload_values import accept_payload, payload_value
from schemas.payloads import ENTITY_ERASE, ENTITY_UPSERT, FLAG_SET, PAYLOADS, TYPE_UPSERT
from schemas.validation import field_errors

FUTURE_TOLERANCE_SECONDS: Final = 300


def validate_command(
    record: IncomingRecord, envelope: Envelope, attributes: dict[str, Any], data: dict[str, Any]
) -> Command:
    """Build the command from an unwrapped record.

    :param attributes: all CloudEvents attributes as read, extensions included.
    :raises Reject: the type is unknown, or the data breaks a rule of its model or contradicts the envelope.
    """
    model = PAYLOADS.get(envelope.type)
    if model is None:
        raise Reject("unknown_type", "unknown command type; see the command reference")
    if record.key != envelope.entity_id.encode():
        raise Reject(
            "key_mismatch",
            "the record key must be the entity id as text, because the key determines the partition",
            errors=(FieldError("key_mismatch", "differs from the record key", attribute="entityid"),),
        )
    fingerprint = fingerprint_of(envelope, attributes, data)
    if fingerprint is None:
        raise Reject("too_deep", "the data is nested too deeply")
    if "_syncOrigin" in data:
        if "syncOrigin" in data:
            raise Reject(
                "duplicate_field",
                "_syncOrigin is an alias of syncOrigin; send only one of them",
                pointer="/_syncOrigin",
            )
        data = {"syncOrigin" if name == "_syncOrigin" else name: value for name, value in data.items()}
    payload = accept_payload(envelope.type, data)
    if payload is None:
        try:
            payload = payload_value(envelope.type, model.model_validate(data))
        except ValidationError as error:
            raise _validation(error) from None
    _check_entity(envelope, payload)
    appended_at = from_epoch_ms(record.timestamp_ms)
    source_timestamp = payload.source_timestamp
    if source_timestamp is None:
        source_timestamp = _instant_attribute(attributes, "sourcetimestamp") or appended_at
    if (source_timestamp - appended_at).total_seconds() > FUTURE_TOLERANCE_SECONDS:
        raise Reject(
            "source_timestamp_in_future",
            "sourceTimestamp is more than 5 minutes ahead of the broker's clock; check the source's clock",
            pointer="/sourceTimestamp",
        )
    if payload.sync_origin is not None and envelope.sync_origin is None:
        envelope = Envelope(
            **{name: getattr(envelope, name) for name in Envelope.__struct_fields__ if name != "sync_origin"},
            sync_origin=payload.sync_origin,
        )
    expected = payload.expected_version
    if expected is None and "expectedversion" in attributes:
        expected = _whole_number(attributes["expectedversion"])
    return Command(
        envelope=envelope,
        payload=payload,
        record=record,
        appended_at=appended_at,
        source_timestamp=source_timestamp,
        expected_version=expected,
        validate_only=_flag_attribute(attributes, "validateonly") or payload.validate_only,
        fingerprint=fingerprint,
    )


def fingerprint_of(
    envelope: Envelope | None, attributes: dict[str, Any], data: dict[str, Any] | None
) -> bytes | None:
    """Content hash of a command, for telling a resend from a reuse of its id.

    :returns: 16 bytes over type, scope, entity and data; ``None`` when these cannot be read or serialised,
        and the caller hashes the record's bytes instead.
    """
    if envelope is None or data is None:
        return None
    source_timestamp = attributes.get("sourcetimestamp")
    if source_timestamp is not None and data.get("sourceTimestamp") is None:
        data = {**data, "sourceTimestamp": source_timestamp}
    content = [envelope.type, envelope.tenant_id, envelope.organization_id, envelope.entity_id, data]
    try:
        image = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # Hazard: orjson reads deeper nesting than it can write (254 levels).
        return None
    return blake2b(image, digest_size=16).digest()


def _check_entity(envelope: Envelope, payload: Any) -> None:
    if payload.entity_id is not None and payload.entity_id != envelope.entity_id:
        raise Reject(
            "entity_mismatch", "entityId differs from the CloudEvents attribute entityid", pointer="/entityId"
        )
    if envelope.type in (ENTITY_UPSERT, ENTITY_ERASE) and payload.id != envelope.entity_id:
        raise Reject("entity_mismatch", "id must equal the CloudEvents attribute entityid", pointer="/id")
    if envelope.type == TYPE_UPSERT and envelope.entity_id != envelope.organization_id:
        raise Reject(
            "entity_mismatch",
            "a dictionary entry belongs to the organization: entityid and the record key must be its id",
            errors=(FieldError("entity_mismatch", "must be the organization id", attribute="entityid"),),
        )
    if envelope.type == FLAG_SET and envelope.entity_id != envelope.tenant_id:
        raise Reject(
            "entity_mismatch",
            "a feature flag belongs to the tenant: entityid and the record key must be its id",
            errors=(FieldError("entity_mismatch", "must be the tenant id", attribute="entityid"),),
        )


def _instant_attribute(attributes: dict[str, Any], name: str) -> Any:
    if name not in attributes:
        return None
    try:
        return parse_instant(attributes[name])
    except ValueError as error:
        raise _refused_attribute(name, str(error)) from None


def _flag_attribute(attributes: dict[str, Any], name: str) -> bool:
    value = attributes.get(name, False)
    if value is True or value is False:
        return value
    if value not in ("true", "false"):
        raise _refused_attribute(name, "must be true or false")
    return bool(value == "true")


def _whole_number(value: Any) -> int:
    text = str(value)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise _refused_attribute("expectedversion", "must be a non-negative integer")
    return int(text)


def _refused_attribute(name: str, detail: str) -> Reject:
    return Reject(
        "invalid_attribute",
        f"the CloudEvents attribute {name} {detail}",
        errors=(FieldError("invalid_attribute", detail, attribute=name),),
    )


def _validation(error: ValidationError) -> Reject:
    """Convert a pydantic error to field errors, without the rejected values."""
    errors = field_errors(error.errors(include_url=False, include_input=False))
    where = ", ".join(sorted({error.pointer or "/" for error in errors}))
    return Reject("validation_failed", f"the data is not valid at {where}", errors=errors)
