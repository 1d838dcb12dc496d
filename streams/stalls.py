"""The stalls of the core, looked up once from outside: for people, and when no process can say it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from runtime.stalls import Stall
from sinks.due import server_time
from sinks.outbox_reader import OutboxPosition
from streams.pending_work import BacklogProbe, PendingWork, unpublished_events
from streams.relay.checkpoint import read_checkpoint
from streams.relay.relay import SHARD

#: Between two looks at what seems to stand still: a backlog that is worked off moves meanwhile.
_AGAIN_SECONDS: Final = 2.0


def core_stalls(settings: Settings) -> list[Stall]:
    """Each place of the pipeline where work has waited for ``stalled_after_seconds`` and nothing moves.

    :raises Retry: the database cannot be reached.
    :raises KafkaException: the broker does not answer.
    """
    look = BacklogProbe(settings)
    try:
        with connect(settings, application_name="interactions-stalls", autocommit=True) as connection:
            first = _late(settings, connection, look)
            if not first:
                return []
            time.sleep(_AGAIN_SECONDS)
            again = _late(settings, connection, look)
    finally:
        look.close()
    still = [(place, found) for place, found in again.items() if place in first]
    return [found.stall(found.seconds) for _, found in still]


def _late(
    settings: Settings, connection: Connection, look: BacklogProbe
) -> dict[tuple[str, str, int], PendingWork]:
    return {
        (found.stage, found.key, found.at): found
        for found in _waiting(settings, connection, look)
        if found.seconds >= settings.stalled_after_seconds
    }


def _waiting(settings: Settings, connection: Connection, look: BacklogProbe) -> Iterator[PendingWork]:
    numbers, stored = look.partitions(), look.partition_progress(connection)
    now = server_time(connection).timestamp()
    yield from look.unapplied(stored, numbers, now)
    yield from look.unpublished(stored, numbers, now)
    relay = read_checkpoint(settings, SHARD)
    yield from unpublished_events(connection, relay.at if relay is not None else OutboxPosition())
