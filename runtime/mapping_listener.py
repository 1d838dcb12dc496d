"""Listens to the integration events topic from now on: which views of mirrors are out of date."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from runtime.outcome_listener import OutcomeListener
from schemas.integration_events import PREFIX
from schemas.topics import INTEGRATION_EVENTS

#: Partitions of this topic are counted from here in a stream's position; no topic has so many.
FIRST_PARTITION: Final = 100_000
_CHANGED: Final = f"{PREFIX}mapping_changed".encode()


class MappingListener(OutcomeListener):
    """The same for ``mapping_changed``, whose value is JSON; what it tells has happened, so it is applied."""

    topic = INTEGRATION_EVENTS
    first_partition = FIRST_PARTITION

    @staticmethod
    def outcome_of(headers: Mapping[str, bytes]) -> str | None:
        return "applied" if headers.get("ce_type") == _CHANGED else None
