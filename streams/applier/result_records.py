"""Records of the results topic: one outcome per command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from domain.decision import Decision
from domain.results import result_of
from schemas.cloudevent_headers import AVRO, event_headers
from schemas.identity import derive_id
from schemas.outcomes import RESULT_TYPE
from schemas.outgoing_record import OutgoingRecord
from schemas.sources import GATEWAY, PIPELINE
from schemas.topics import RESULTS
from sinks.notify import Notice

#: Encodes a result's data (camelCase, texts for instants) as Confluent Avro.
EncodeResult = Callable[[dict[str, Any]], bytes]
_AWAITED: Final = 50
_INCOMPLETE: Final = "details of this outcome could not be published; read the row"


def result_value(decision: Decision, encode: EncodeResult) -> bytes:
    """Encode a result: the outcome of a command, and the record that held the command."""
    record = decision.command.record
    return encode(
        {
            **result_of(decision),
            "commandTopic": record.topic,
            "commandPartition": record.partition,
            "commandOffset": record.offset,
        }
    )


def bare_value(decision: Decision, encode: EncodeResult) -> bytes:
    """Encode a result whose details cannot be published: the outcome, and a warning that they are missing."""
    result = result_of(decision)
    problem = result["problem"]
    bare = {
        **result,
        "nextInteraction": None,
        "undoToken": None,
        "warnings": [{"code": "result_incomplete", "field": None, "detail": _INCOMPLETE}],
        "problem": problem and {**problem, "detail": str(problem["detail"])[:500], "errors": []},
        "first": None,
    }
    record = decision.command.record
    bare |= {
        "commandTopic": record.topic,
        "commandPartition": record.partition,
        "commandOffset": record.offset,
    }
    return encode(bare)


def result_record(decision: Decision, encode: EncodeResult, value: bytes | None = None) -> OutgoingRecord:
    """Build the record of a command's result.

    The id is derived from the command's place in the topic, so that a second copy can be recognised.

    :param value: the encoded value, when there is one already.
    """
    command = decision.command
    record, envelope = command.record, command.envelope
    partition, offset = str(record.partition), str(record.offset)
    headers = event_headers(
        AVRO,
        id=derive_id("result", record.topic, partition, offset),
        source=PIPELINE,
        type=RESULT_TYPE,
        outcome=decision.outcome,
        commandpartition=partition,
        commandoffset=offset,
        causationid=envelope.id,
        correlationid=envelope.correlation_id or envelope.id,
        tenantid=envelope.tenant_id,
        organizationid=envelope.organization_id,
        entityid=envelope.entity_id,
        syncorigin=envelope.sync_origin,
        actorid=envelope.actor_id,
        traceparent=envelope.traceparent,
    )
    key = envelope.entity_id if envelope.entity_id is not None else record.key
    return OutgoingRecord(
        RESULTS, key, value if value is not None else result_value(decision, encode), headers
    )


def notices(decisions: Iterable[Decision], value_of: Callable[[Decision], bytes]) -> list[Notice]:
    """Notices for the gateways that wait for these commands.

    None for a large batch: that is a backlog, in which a moment more does not matter.

    :param value_of: encodes the result.
    """
    awaited = [decision for decision in decisions if decision.command.envelope.source == GATEWAY]
    if len(awaited) > _AWAITED:
        return []
    return [
        Notice(decision.command.envelope.correlation_id, value_of(decision))
        for decision in awaited
        if decision.command.envelope.correlation_id is not None
    ]


def all_notified(decisions: Sequence[Decision]) -> bool:
    """Return whether `notices` covers all of these outcomes."""
    return len(decisions) <= _AWAITED and all(
        decision.command.envelope.source == GATEWAY and decision.command.envelope.correlation_id is not None
        for decision in decisions
    )
