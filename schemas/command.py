"""A command as the rules see it: its envelope, its checked data and its place in the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from schemas.errors import Reject
from schemas.payloads import Payload
from schemas.value_class import value_class

#: Size limits of a record's value and key, in bytes without compression. A hundred times the largest command.
MAX_VALUE_BYTES: Final = 4 * 1024 * 1024
MAX_KEY_BYTES: Final = 64 * 1024


@value_class(frozen=True, slots=True)
class Record:
    """One record as Kafka delivered it: bytes only.

    :param timestamp_ms: the broker's append time, milliseconds since 1970.
    :param left_out: parts that are missing here: ``headers`` (the client cannot read them), ``key`` or
        ``value`` (too large to be taken in).
    :param size: bytes of the value, also of one that was left out.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    left_out: tuple[str, ...] = ()
    size: int = 0


@value_class(frozen=True, slots=True, kw_only=True)
class Envelope:
    """The CloudEvents attributes of a command (CloudEvents 1.0, Kafka binding 1.0.2)."""

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


@value_class(frozen=True, slots=True, kw_only=True)
class Command:
    """A decoded, valid command.

    :param appended_at: when the broker appended it: the "now" of every rule.
    :param source_timestamp: when its source made the change; ``appended_at`` unless given.
    :param fingerprint: 16 bytes over type, scope, entity and data: equal content, equal bytes.
    """

    envelope: Envelope
    payload: Payload
    record: Record
    appended_at: datetime
    source_timestamp: datetime
    expected_version: int | None
    validate_only: bool
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that cannot be carried out; it still gets one outcome.

    :param envelope: what could be read of the attributes; scope and id may be missing.
    :param undecodable: no envelope could be read, or its data could not be decoded: the record also
        goes to the dead letters, and its command id stays free for a replay.
    """

    record: Record
    envelope: PartialEnvelope
    rejection: Reject
    appended_at: datetime
    fingerprint: bytes
    undecodable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialEnvelope:
    """The attributes that could be read from a refused record."""

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
