"""Listens to the integration events topic: which mirrors' views are out of date, what became of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from api.result_consumer import ResultConsumer
from schemas.integration_events import PREFIX
from schemas.topics import INTEGRATION_EVENTS

#: Partitions of this topic are counted from here in a stream's position; no topic has so many.
FIRST_PARTITION: Final = 100_000
#: Of a record that answers a decision.
DECIDED: Final = "decided"
#: Of a record that answers a change or removal of an integration.
CHANGED: Final = "changed"
_OUTCOMES: Final = {
    # What it tells has happened, so it is applied.
    f"{PREFIX}mapping_changed".encode(): "applied",
    f"{PREFIX}state_changed".encode(): "applied",
    f"{PREFIX}decided".encode(): DECIDED,
    f"{PREFIX}changed".encode(): CHANGED,
}


class IntegrationEventConsumer(ResultConsumer):
    """The same for events of integrations that change views or answer decisions; their values are JSON."""

    topic = INTEGRATION_EVENTS
    first_partition = FIRST_PARTITION

    @staticmethod
    def outcome_of(headers: Mapping[str, bytes]) -> str | None:
        return _OUTCOMES.get(headers.get("ce_type", b""))
