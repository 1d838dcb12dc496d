"""The records that answer a command: its result, and its dead letter when it cannot be decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from domain.decision import Decision
from schemas.command import Refused
from schemas.identity import derive_id
from schemas.outcomes import RESULT_TYPE
from schemas.sources import GATEWAY, PIPELINE
from sinks.notices import Notice

#: Encodes a result's data (camelCase, texts for instants) as Confluent Avro.
EncodeResult = Callable[[dict[str, Any]], bytes]
Header = tuple[str, bytes | str | None]
_AWAITED: Final = 50


def result_value(decision: Decision, encode: EncodeResult) -> bytes:
    """The value of a result: what became of a command, and of which record in the log."""
    record = decision.command.record
    return encode(
        {
            **decision.result,
            "commandTopic": record.topic,
            "commandPartition": record.partition,
            "commandOffset": record.offset,
        }
    )


def result_record(decision: Decision, encode: EncodeResult) -> tuple[bytes | None, bytes, list[Header]]:
    """Key, value and headers of the one result of a command (CloudEvents binary mode).

    The id follows from the command's place in the log, so that publishing again is recognisable.
    """
    command = decision.command
    record, envelope = command.record, command.envelope
    headers: list[Header] = [
        ("content-type", "application/avro"),
        ("ce_specversion", "1.0"),
        ("ce_id", derive_id("result", record.topic, str(record.partition), str(record.offset))),
        ("ce_source", PIPELINE),
        ("ce_type", RESULT_TYPE),
        ("ce_outcome", decision.outcome),
        ("ce_commandpartition", str(record.partition)),
        ("ce_commandoffset", str(record.offset)),
    ]
    optional = (
        ("ce_causationid", envelope.id),
        ("ce_correlationid", envelope.correlation_id or envelope.id),
        ("ce_tenantid", envelope.tenant_id),
        ("ce_organizationid", envelope.organization_id),
        ("ce_entityid", envelope.entity_id),
        ("ce_syncorigin", envelope.sync_origin),
        ("ce_actorid", envelope.actor_id),
        ("traceparent", envelope.traceparent),
    )
    headers.extend((name, value) for name, value in optional if value is not None)
    key = envelope.entity_id.encode() if envelope.entity_id is not None else record.key
    return key, result_value(decision, encode), headers


def notices(decisions: Iterable[Decision], encode: EncodeResult) -> list[Notice]:
    """What the gateways that wait for these commands are told at once.

    Nothing of a large batch: that is a backlog, and who waits for it will not miss a moment.
    """
    awaited = [decision for decision in decisions if decision.command.envelope.source == GATEWAY]
    if len(awaited) > _AWAITED:
        return []
    return [
        Notice(decision.command.envelope.correlation_id, result_value(decision, encode))
        for decision in awaited
        if decision.command.envelope.correlation_id is not None
    ]


def all_told(decisions: Sequence[Decision]) -> bool:
    """Whether `notices` tells all of these outcomes."""
    return len(decisions) <= _AWAITED and all(
        decision.command.envelope.source == GATEWAY and decision.command.envelope.correlation_id is not None
        for decision in decisions
    )


def dead_letter_headers(command: Refused) -> list[Header]:
    """The original headers, then why and from where (the value and key stay byte for byte)."""
    record = command.record
    original: list[Header] = list(record.headers)
    attempt = 1
    for name, value in record.headers:
        if name == "dl_replay_count" and value is not None and value.isdigit():
            attempt = int(value) + 1
    return [
        *original,
        ("dl_topic", record.topic),
        ("dl_partition", str(record.partition)),
        ("dl_offset", str(record.offset)),
        ("dl_reason", command.rejection.detail),
        ("dl_error_class", command.rejection.code),
        ("dl_attempt", str(attempt)),
    ]
