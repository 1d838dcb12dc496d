"""Consume the integration events topic: changed mirrors, and replies to decisions."""

from __future__ import annotations

from typing import Any, Final

import orjson

from api.result_consumer import ResultConsumer
from schemas.avro_codec import AvroDecoder
from schemas.errors import Reject
from schemas.incoming_record import IncomingRecord
from schemas.integration_events import PREFIX
from schemas.topics import INTEGRATION_EVENTS

#: Offset of this topic's partition numbers in a stream's position. No topic has that many partitions.
FIRST_PARTITION: Final = 100_000
#: Outcome of a record that replies to a decision on warnings.
DECIDED: Final = "decided"
#: Outcome of a record that replies to a change or removal of an integration.
CHANGED: Final = "changed"
_OUTCOMES: Final = {
    # These events report what has happened already, so streams treat them as applied.
    f"{PREFIX}mapping_changed": "applied",
    f"{PREFIX}state_changed": "applied",
    f"{PREFIX}decided": DECIDED,
    f"{PREFIX}changed": CHANGED,
}


def decode_event(value: bytes, decoder: AvroDecoder) -> dict[str, Any]:
    """Decode the value of an integration event. Those of earlier versions are JSON.

    :raises InteractionsError: it is neither, or its schema is unavailable.
    """
    if value.startswith(b"{"):
        try:
            members: dict[str, Any] = orjson.loads(value)
        except orjson.JSONDecodeError:
            raise Reject("undecodable", "the value is not JSON") from None
        return members
    return decoder.decode(value)[1]


class IntegrationEventConsumer(ResultConsumer):
    """Consumer of the integration events that change views or reply to decisions."""

    topic = INTEGRATION_EVENTS
    first_partition = FIRST_PARTITION

    @staticmethod
    def outcome_of(record: IncomingRecord) -> str | None:
        return _OUTCOMES.get(record.header("ce_type") or "")
