"""Lag per role: records to apply, events to publish, interactions to mark as due, entries to check."""

from __future__ import annotations

from typing import Final

from runtime.kafka import make_admin
from runtime.postgres import connect
from runtime.settings import Settings
from runtime.topic_tail import TopicTail
from schemas.topics import COMMANDS
from sinks.backlog import unmarked, unpublished, unwatched
from sinks.consumed_offsets import watermarks
from streams.partition_ends import partition_ends, partition_numbers
from streams.relay.checkpoint import EVENTS_SHARD

#: An offset difference up to this may consist of transaction markers only and is checked record by record.
_FEW: Final = 64


def lag_by_role(settings: Settings) -> dict[str, int | None]:
    """Count the pending work per role; all zero when the pipeline is idle, and ``None`` without a watch.

    :raises Retry: the database cannot be reached, or the broker does not answer.
    """
    topic = settings.topic(COMMANDS)
    with connect(settings, application_name="interactions-lag", autocommit=True) as connection:
        return {
            "applier": _unapplied(settings, watermarks(connection, settings.consumer_group, topic)),
            "relay": unpublished(connection, EVENTS_SHARD),
            "timers": unmarked(connection, settings.overdue_after_seconds),
            "watch": unwatched(connection),
        }


def _unapplied(settings: Settings, applied: dict[int, int]) -> int:
    topic, admin = settings.topic(COMMANDS), make_admin(settings)
    lag = 0
    with TopicTail(settings, COMMANDS) as tail:
        for number, ends in partition_ends(admin, topic, partition_numbers(admin, topic)).items():
            start = max(ends.low, applied.get(number, 0))
            readable = max(0, ends.stable - start)
            if 0 < readable <= _FEW and tail.first(number, start) is None:
                readable = 0
            # Records behind an open transaction count too, although they cannot be read yet.
            lag += readable + ends.high - max(ends.stable, start)
    return lag
