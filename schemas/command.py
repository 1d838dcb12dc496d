"""A decoded command: envelope, validated data and Kafka record; or the refusal of a record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec import Struct

from schemas.errors import Reject
from schemas.incoming_record import IncomingRecord
from schemas.payload_base import Payload

#: Size limits of a record's value and key, in uncompressed bytes: a hundred times the largest command.
MAX_VALUE_BYTES: Final = 4 * 1024 * 1024
MAX_KEY_BYTES: Final = 64 * 1024


class Envelope(Struct, frozen=True, kw_only=True, gc=False):
    """CloudEvents attributes of a command (CloudEvents 1.0, Kafka binding 1.0.2)."""

    id: str
    type: str
    source: str
    tenant_id: str
    organization_id: str
    entity_id: str
    subject: str | None = None
    sync_origin: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    actor_id: str | None = None
    traceparent: str | None = None


class Command(Struct, frozen=True, kw_only=True):
    """A decoded, valid command.

    :param appended_at: append time of the broker; the rules use it as the current time.
    :param source_timestamp: time of the change at its source; defaults to ``appended_at``.
    :param fingerprint: 16-byte content hash over type, scope, entity and data.
    """

    envelope: Envelope
    payload: Payload
    record: IncomingRecord
    appended_at: datetime
    source_timestamp: datetime
    expected_version: int | None
    validate_only: bool
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that is not a valid command; it still gets exactly one result.

    :param envelope: the readable attributes; scope and id can be missing.
    :param undecodable: the envelope or the data could not be decoded: the record is also copied to the
        dead-letter topic, and its command id stays unused, for a replay.
    """

    record: IncomingRecord
    envelope: PartialEnvelope
    rejection: Reject
    appended_at: datetime
    fingerprint: bytes
    undecodable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialEnvelope:
    """Readable attributes of a refused record."""

    id: str | None = None
    type: str | None = None
    source: str | None = None
    tenant_id: str | None = None
    organization_id: str | None = None
    entity_id: str | None = None
    sync_origin: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    actor_id: str | None = None
    traceparent: str | None = None
