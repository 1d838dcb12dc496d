"""Record → command: CloudEvents in binary or structured mode, JSON or Avro data.

No input raises here: an invalid record is returned as ``Refused`` with the reason. Only ``Retry`` (the
schema registry is unavailable) passes through.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from hashlib import blake2b
from typing import Any

from schemas.cloudevents import (
    Undecodable,
    json_object,
    open_event,
    repeated_name,
)
from schemas.command import Command, Envelope, PartialEnvelope, Refused
from schemas.command_validation import fingerprint_of, validate_command
from schemas.envelope import accept_envelope, partial_envelope, read_envelope
from schemas.errors import Reject
from schemas.incoming_record import IncomingRecord
from schemas.instants import from_epoch_ms
from schemas.unique_members import repeated_member

#: ``value -> (record full name, data)``; raises ``Reject`` or ``Retry``.
DecodeAvro = Callable[[bytes], tuple[str, dict[str, Any]]]


def decode_record(record: IncomingRecord, decode_avro: DecodeAvro) -> Command | Refused:
    """Decode and validate one record of the commands topic.

    :param decode_avro: decodes the Confluent wire format; it may raise ``Reject`` or ``Retry``.
    :returns: the command, or the refusal with its reason.
    :raises Retry: the schema registry is unavailable.
    """
    attributes: dict[str, Any] = {}
    data: dict[str, Any] | None = None
    envelope: Envelope | None = None
    try:
        content = open_event(record, attributes)
        envelope = accept_envelope(attributes) or read_envelope(attributes)
        data = _data(content, envelope.type, decode_avro) if isinstance(content, bytes) else content
        return validate_command(record, envelope, attributes, data)
    except Reject as rejection:
        return Refused(
            record=record,
            envelope=partial_envelope(attributes),
            rejection=rejection.without_traceback(),
            appended_at=from_epoch_ms(record.timestamp_ms),
            fingerprint=fingerprint_of(envelope, attributes, data)
            or blake2b(record.value or b"", digest_size=16).digest(),
            undecodable=isinstance(rejection, Undecodable),
        )


def refuse_unread(record: IncomingRecord, rejection: Reject, *, bare: bool = False) -> Refused:
    """Refuse a record that the decoder could not process, with the attributes that can still be read.

    :param bare: do not read the record at all.
    """
    attributes: dict[str, Any] = {}
    envelope = PartialEnvelope()
    # The record that broke the decoder may break this code too.
    with contextlib.suppress(Exception):
        with contextlib.suppress(Reject):
            if not bare:
                open_event(record, attributes)
        envelope = partial_envelope(attributes)
    return Refused(
        record=record,
        envelope=envelope,
        rejection=rejection.without_traceback(),
        appended_at=from_epoch_ms(record.timestamp_ms),
        fingerprint=blake2b(record.value or b"", digest_size=16).digest(),
        undecodable=True,
    )


def _data(value: bytes, command_type: str, decode_avro: DecodeAvro) -> dict[str, Any]:
    """Decode data that is bytes: Confluent Avro if it starts with the magic byte, otherwise JSON."""
    if not value.startswith(b"\x00"):
        data = json_object(value)
        path = repeated_member(value, data)
        if path is not None:
            raise repeated_name(("data", *path), {})
        return data
    try:
        name, data = decode_avro(value)
    except Reject as rejection:
        raise Undecodable(rejection.code, rejection.detail, errors=rejection.errors) from rejection
    if name != command_type:
        raise Undecodable(
            "wrong_schema", f"the value was written as {name[:200]}, but ce_type is {command_type}"
        )
    return data
