"""Envelope of a command: validate the CloudEvents attributes of a record."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.cloudevents import TEXTS, Undecodable, attribute_error
from schemas.command import Envelope, PartialEnvelope
from schemas.errors import FieldError
from schemas.payloads import PAYLOADS, canonical_type
from schemas.values import MAX_ATTRIBUTE_CHARACTERS, UUID_PATTERN, attribute_text

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
_REQUIRED: Final = ("id", "source", "type", "tenantid", "organizationid", "entityid")
_Text = Annotated[str, Meta(min_length=1, max_length=MAX_ATTRIBUTE_CHARACTERS)]


class _Attributes(Struct, kw_only=True, gc=False):
    id: _Text
    type: _Text
    source: _Text
    tenantid: str
    organizationid: str
    entityid: str
    specversion: Literal["1.0"] = "1.0"
    subject: _Text | None = None
    syncorigin: _Text | None = None
    correlationid: _Text | None = None
    causationid: _Text | None = None
    actorid: _Text | None = None
    traceparent: _Text | None = None


def accept_envelope(attributes: dict[str, Any]) -> Envelope | None:
    """Build the envelope of a command from usual attributes; ``None`` leaves it to :func:`read_envelope`."""
    try:
        it = msgspec.convert(attributes, _Attributes)
    except msgspec.ValidationError:
        return None
    texts = (it.id, it.source, it.subject, it.syncorigin, it.correlationid, it.causationid, it.actorid)
    for text in (*texts, it.traceparent):
        # Printable text has no control character, and no white space other than the space.
        if text is not None and not (text.isprintable() and text[0] != " " and text[-1] != " "):
            return None
    known = it.type in PAYLOADS
    if not (
        known and _is_scope_id(it.tenantid) and _is_scope_id(it.organizationid) and _is_scope_id(it.entityid)
    ):
        return None
    return Envelope(
        id=it.id,
        type=it.type,
        source=it.source,
        tenant_id=it.tenantid,
        organization_id=it.organizationid,
        entity_id=it.entityid,
        subject=it.subject,
        sync_origin=it.syncorigin,
        correlation_id=it.correlationid,
        causation_id=it.causationid,
        actor_id=it.actorid,
        traceparent=it.traceparent,
    )


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
        raise attribute_error("specversion", "unsupported_specversion", "must be 1.0")
    for name, value in attributes.items():
        if name in TEXTS:
            _check_text(name, value)
    for name in _IDS:
        if not _is_scope_id(attributes[name]):
            raise attribute_error(name, "invalid_attribute", "must be a lower-case UUID")
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


def _check_text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise attribute_error(name, "invalid_attribute", "must be a string")
    try:
        attribute_text(value)
    except ValueError as error:
        raise attribute_error(name, "invalid_attribute", str(error)) from None


@lru_cache(maxsize=8192)
def _is_scope_id(text: str) -> bool:
    return _UUID.fullmatch(text) is not None and text == text.lower()


def _is_sound(value: Any) -> bool:
    try:
        return isinstance(value, str) and attribute_text(value) != ""
    except ValueError:
        return False


def _is_id(texts: dict[str, str], name: str) -> bool:
    return name in texts and _UUID.fullmatch(texts[name]) is not None and texts[name] == texts[name].lower()
