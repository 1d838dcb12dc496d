"""Record → command: CloudEvents in binary or structured mode, JSON or Avro data.

Nothing that a publisher can send raises here: what cannot be carried out comes back as ``Refused``
with a reason. Only ``Retry`` (the schema registry is out of reach) passes through.
"""

from __future__ import annotations

import contextlib
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import orjson
from pydantic import ValidationError

from schemas.attribute_text import attribute_text
from schemas.command import Command, Envelope, PartialEnvelope, Record, Refused
from schemas.errors import FieldError, Reject
from schemas.instants import from_epoch_ms, parse_instant
from schemas.payloads import (
    PAYLOADS,
    EntityUpsert,
    FeatureFlagSet,
    InteractionTypeUpsert,
    canonical_type,
)
from schemas.unique_members import pointer_of, repeated_member
from schemas.validation import field_errors
from schemas.values import UUID_PATTERN

#: ``value -> (record full name, data)``; raises ``Reject`` or ``Retry``.
DecodeAvro = Callable[[bytes], tuple[str, dict[str, Any]]]

FUTURE_TOLERANCE_SECONDS: Final = 300
#: Largest value and key of a record, uncompressed. A hundred times the largest command.
MOST_VALUE_BYTES: Final = 4 * 1024 * 1024
MOST_KEY_BYTES: Final = 64 * 1024
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
_KNOWN: Final = (*_TEXTS, "specversion", "time")
_HEADERS: Final = {f"ce_{name}": name for name in _KNOWN}


class _Undecodable(Reject):
    """No envelope, or no data, can be read from the record."""


def decode_record(record: Record, decode_avro: DecodeAvro) -> Command | Refused:
    """Decode and validate one record of the commands topic.

    :param decode_avro: decodes Confluent wire format; it may raise ``Reject`` or ``Retry``.
    :returns: the command, or why it is refused (design section 5).
    :raises Retry: the registry cannot be asked now.
    """
    attributes: dict[str, Any] = {}
    data: dict[str, Any] | None = None
    envelope: Envelope | None = None
    try:
        content = _open(record, attributes)
        envelope = _envelope(attributes)
        data = _data(content, envelope.type, decode_avro) if isinstance(content, bytes) else content
        return _command(record, envelope, attributes, data)
    except Reject as rejection:
        return Refused(
            record=record,
            envelope=_partial(attributes),
            rejection=rejection.kept(),
            appended_at=from_epoch_ms(record.timestamp_ms),
            fingerprint=_fingerprint(envelope, attributes, data)
            or blake2b(record.value or b"", digest_size=16).digest(),
            undecodable=isinstance(rejection, _Undecodable),
        )


def refuse_unread(record: Record, rejection: Reject, *, bare: bool = False) -> Refused:
    """Refuse a record that could not be decoded for no fault of its own, with what can be read of it.

    :param bare: read nothing of it.
    """
    attributes: dict[str, Any] = {}
    envelope = PartialEnvelope()
    # Whatever broke the decoder may break this too.
    with contextlib.suppress(Exception):
        with contextlib.suppress(Reject):
            if not bare:
                _open(record, attributes)
        envelope = _partial(attributes)
    return Refused(
        record=record,
        envelope=envelope,
        rejection=rejection.kept(),
        appended_at=from_epoch_ms(record.timestamp_ms),
        fingerprint=blake2b(record.value or b"", digest_size=16).digest(),
        undecodable=True,
    )


def _open(record: Record, attributes: dict[str, Any]) -> dict[str, Any] | bytes:
    """Fill in the attributes and return the data, as bytes where they are not part of the JSON.

    What can be read stays in ``attributes`` when the rest is refused: the publisher's answer needs it.
    """
    if "headers" in record.left_out:
        attributes.update(_readable(record.value))
        raise _Undecodable("undecodable", "the name of a header is not UTF-8 text")
    content_type = ""
    twice: str | None = None
    try:
        for name, raw in record.headers:
            if raw is None:
                continue
            attribute = _HEADERS.get(name) or (name[3:] if name.startswith("ce_") else None)
            if attribute is not None:
                # Instrumentation may add a traceparent beside the publisher's: the last one counts.
                if attribute in attributes and attribute != "traceparent":
                    twice = attribute
                attributes[attribute] = raw.decode()
            elif name == "traceparent":
                attributes["traceparent"] = raw.decode()
            elif name.lower() == "content-type":
                content_type = raw.decode().lower()
    except UnicodeDecodeError:
        raise _Undecodable("undecodable", "a CloudEvents header is not UTF-8 text") from None
    if twice is not None:
        raise _repeated((twice,), attributes)
    if record.left_out:
        raise _Undecodable(
            "too_large",
            f"the {' and the '.join(record.left_out)} of the record is too large: a value has at most"
            f" {MOST_VALUE_BYTES} bytes without compression, a key {MOST_KEY_BYTES}",
        )
    if record.value is None:
        raise _Undecodable("undecodable", "the record has no value; a command is never a tombstone")
    structured = content_type.startswith("application/cloudevents")
    if not structured and ("type" in attributes or "id" in attributes):
        return record.value
    event = _json_object(record.value)
    # A null attribute is an absent one (CloudEvents JSON 1.0.2 section 2.2).
    attributes.update((name, it) for name, it in event.items() if it is not None and name not in _DATA)
    path = repeated_member(record.value, event)
    if path is not None:
        raise _repeated(path, attributes)
    data, encoded = event.get("data"), event.get("data_base64")
    if encoded is not None:
        return _decoded(encoded, alone=data is None)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise _Undecodable("undecodable", "the CloudEvent's data is not an object")
    return data


def _repeated(path: tuple[str, ...], attributes: dict[str, Any]) -> Reject:
    """The refusal of a name that is given twice; the attribute of that name is not believed."""
    code, detail = "duplicate_field", "is given twice; leave one out"
    if path[0] == "data" and len(path) > 1:
        return _Undecodable(code, f"the member {pointer_of(path[1:])} {detail}", pointer=pointer_of(path[1:]))
    attributes.pop(path[0], None)
    return _attribute(path[0][:100], code, detail)


def _decoded(encoded: Any, *, alone: bool) -> bytes:
    if not alone:
        raise _attribute("data_base64", "duplicate_field", "is given beside data; leave one out")
    try:
        return b64decode(encoded, validate=True)
    except (NotBase64, TypeError, ValueError):
        raise _attribute("data_base64", "undecodable", "is not base64") from None


def _readable(value: bytes | None) -> dict[str, Any]:
    """The attributes of a structured event whose record is refused all the same: the answer needs them."""
    try:
        found = _json_object(value or b"")
    except _Undecodable:
        return {}
    return {name: found[name] for name in found if name in _KNOWN}


def _json_object(value: bytes) -> dict[str, Any]:
    try:
        parsed = orjson.loads(value)
    except orjson.JSONDecodeError:
        raise _Undecodable("undecodable", "the value is not JSON in UTF-8") from None
    if not isinstance(parsed, dict):
        raise _Undecodable("undecodable", "the value is not a JSON object")
    return parsed


def _envelope(attributes: dict[str, Any]) -> Envelope:
    for name in _REQUIRED:
        value = attributes.get(name)
        if not isinstance(value, str) or not value:
            raise _Undecodable(
                "missing_attribute",
                f"the CloudEvents attribute {name} is missing or not a text",
                errors=(FieldError("missing_attribute", "is required", attribute=name),),
            )
    if attributes.get("specversion", "1.0") != "1.0":
        raise _attribute("specversion", "unsupported_specversion", "must be 1.0")
    for name, value in attributes.items():
        if name in _TEXTS:
            _check_text(name, value)
    for name in _IDS:
        if not _is_scope_id(attributes[name]):
            raise _attribute(name, "invalid_attribute", "must be a UUID in lower case")
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


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise _attribute(name, "invalid_attribute", "must be a text")
    try:
        attribute_text(value)
    except ValueError as error:
        raise _attribute(name, "invalid_attribute", str(error)) from None


@lru_cache(maxsize=8192)
def _is_scope_id(text: str) -> bool:
    return _UUID.fullmatch(text) is not None and text == text.lower()


def _attribute(name: str, code: str, detail: str) -> _Undecodable:
    return _Undecodable(
        code,
        f"the CloudEvents attribute {name} {detail}",
        errors=(FieldError(code, detail, attribute=name),),
    )


def _data(value: bytes, command_type: str, decode_avro: DecodeAvro) -> dict[str, Any]:
    """The data of an event whose data are bytes: Confluent Avro by its magic byte, otherwise JSON."""
    if not value.startswith(b"\x00"):
        data = _json_object(value)
        path = repeated_member(value, data)
        if path is not None:
            raise _repeated(("data", *path), {})
        return data
    try:
        name, data = decode_avro(value)
    except Reject as rejection:
        raise _Undecodable(rejection.code, rejection.detail, errors=rejection.errors) from rejection
    if name != command_type:
        raise _Undecodable(
            "wrong_schema", f"the value was written as {name[:200]}, the type says {command_type}"
        )
    return data


def _command(
    record: Record, envelope: Envelope, attributes: dict[str, Any], data: dict[str, Any]
) -> Command | Refused:
    model = PAYLOADS.get(envelope.type)
    if model is None:
        raise Reject("unknown_type", "this command type is not known; see the command reference")
    if record.key != envelope.entity_id.encode():
        raise Reject(
            "key_mismatch",
            "the record key must be the entity id, as text: it decides the partition",
            errors=(FieldError("key_mismatch", "differs from the record key", attribute="entityid"),),
        )
    fingerprint = _fingerprint(envelope, attributes, data)
    if fingerprint is None:
        raise Reject("too_deep", "the data are nested deeper than any command needs")
    if "_syncOrigin" in data:
        if "syncOrigin" in data:
            raise Reject(
                "duplicate_field", "_syncOrigin is another name of syncOrigin", pointer="/_syncOrigin"
            )
        data = {"syncOrigin" if name == "_syncOrigin" else name: value for name, value in data.items()}
    try:
        payload = model.model_validate(data)
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
            "sourceTimestamp lies more than 5 minutes after the broker's clock; check the source's clock",
            pointer="/sourceTimestamp",
        )
    if payload.sync_origin is not None and envelope.sync_origin is None:
        envelope = Envelope(
            **{name: getattr(envelope, name) for name in Envelope.__slots__ if name != "sync_origin"},
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


def _fingerprint(
    envelope: Envelope | None, attributes: dict[str, Any], data: dict[str, Any] | None
) -> bytes | None:
    """What makes a command the same one when it comes again; ``None`` where its bytes must do."""
    if envelope is None or data is None:
        return None
    made = attributes.get("sourcetimestamp")
    if made is not None and data.get("sourceTimestamp") is None:
        data = {**data, "sourceTimestamp": made}
    told = [envelope.type, envelope.tenant_id, envelope.organization_id, envelope.entity_id, data]
    try:
        image = orjson.dumps(told, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # Hazard: what orjson has read it need not be able to write: 254 levels
        return None
    return blake2b(image, digest_size=16).digest()


def _check_entity(envelope: Envelope, payload: Any) -> None:
    if payload.entity_id is not None and payload.entity_id != envelope.entity_id:
        raise Reject("entity_mismatch", "entityId differs from the event's entityid", pointer="/entityId")
    if isinstance(payload, EntityUpsert) and payload.id != envelope.entity_id:
        raise Reject("entity_mismatch", "id must be the event's entityid", pointer="/id")
    if isinstance(payload, InteractionTypeUpsert) and envelope.entity_id != envelope.organization_id:
        raise Reject(
            "entity_mismatch",
            "a dictionary entry belongs to the organization: entityid and the key must be its id",
            errors=(FieldError("entity_mismatch", "must be the organization id", attribute="entityid"),),
        )
    if isinstance(payload, FeatureFlagSet) and envelope.entity_id != envelope.tenant_id:
        raise Reject(
            "entity_mismatch",
            "a flag belongs to the tenant: entityid and the key must be its id",
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
        raise _refused_attribute("expectedversion", "must be a whole number, 0 or more")
    return int(text)


def _refused_attribute(name: str, detail: str) -> Reject:
    return Reject(
        "invalid_attribute",
        f"the CloudEvents attribute {name} {detail}",
        errors=(FieldError("invalid_attribute", detail, attribute=name),),
    )


def _validation(error: ValidationError) -> Reject:
    """A pydantic error as field errors; never with the value that was sent."""
    errors = field_errors(error.errors(include_url=False, include_input=False))
    where = ", ".join(sorted({error.pointer or "/" for error in errors}))
    return Reject("validation_failed", f"the data is not valid at {where}", errors=errors)


def _partial(attributes: dict[str, Any]) -> PartialEnvelope:
    """What can be trusted of a refused record: texts of sane length, ids only as UUIDs."""
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


def _is_sound(value: Any) -> bool:
    try:
        return isinstance(value, str) and attribute_text(value) != ""
    except ValueError:
        return False


def _is_id(texts: dict[str, str], name: str) -> bool:
    return name in texts and _UUID.fullmatch(texts[name]) is not None and texts[name] == texts[name].lower()
