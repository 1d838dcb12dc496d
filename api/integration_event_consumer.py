"""Consume the integration events topic: changed mirrors, and replies to decisions."""

from __future__ import annotations

from typing import Final

from api.result_consumer import ResultConsumer
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


class IntegrationEventConsumer(ResultConsumer):
    """Consumer of the integration events that change views or reply to decisions. Their values are JSON."""

    topic = INTEGRATION_EVENTS
    first_partition = FIRST_PARTITION

    @staticmethod
    def outcome_of(record: IncomingRecord) -> str | None:
        return _OUTCOMES.get(record.header("ce_type") or "")
