"""Turn an outbox row into Kafka records: an event and its state, or a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from schemas.avro_schemas import INTERACTION_STATE as INTERACTION_STATE_TYPE
from schemas.avro_schemas import NEXT_INTERACTION_STATE as NEXT_STATE_TYPE
from schemas.cloudevent_headers import AVRO
from schemas.errors import Stop
from schemas.events import DUE, OVERDUE
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS, EVENTS, INTERACTION_STATE, NEXT_INTERACTION_STATE
from sinks.outbox_reader import OutboxRow

#: ``(model name, data) -> Confluent Avro``.
Encode = Callable[[str, dict[str, Any]], bytes]


def records_of(row: OutboxRow, encode: Encode) -> list[OutgoingRecord]:
    """Return the records of a row, in order.

    :raises Stop: the row has an unknown aggregate type.
    """
    headers: dict[str, str | bytes | None] = orjson.loads(row.headers)
    if row.aggregatetype == "command":
        return [OutgoingRecord(COMMANDS, row.aggregateid, row.payload.encode(), headers)]
    payload = orjson.loads(row.payload)
    headers["content-type"] = AVRO
    event = OutgoingRecord(EVENTS, row.aggregateid, encode(row.type, payload), headers)
    if row.aggregatetype == "interaction":
        if row.type in (DUE, OVERDUE):
            return [event]
        after = payload["after"]
        value = encode(INTERACTION_STATE_TYPE, after) if after is not None else None
        of_state = {**headers, "ce_type": INTERACTION_STATE_TYPE}
        return [event, OutgoingRecord(INTERACTION_STATE, payload["id"], value, of_state)]
    if row.aggregatetype == "next-interaction":
        value = None
        if payload["next"] is not None:
            state = {
                name: payload[name] for name in ("entityId", "tenantId", "organizationId", "entityVersion")
            }
            value = encode(NEXT_STATE_TYPE, {**state, "next": payload["next"]})
        of_state = {**headers, "ce_type": NEXT_STATE_TYPE}
        return [event, OutgoingRecord(NEXT_INTERACTION_STATE, row.aggregateid, value, of_state)]
    raise Stop(
        f"the outbox row {row.id} has the unknown aggregate type {row.aggregatetype!r}; the relay stops"
        " before it. Was the row written by a newer version?"
    )
