"""One-shot check for stalls of all roles but the connectors, from outside their processes."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from typing import Final

from runtime.health import Stall
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from sinks.due import server_time
from sinks.journal_reader import JournalPosition
from streams.pending_rows import timer_rows, waiting_jobs
from streams.pending_work import BacklogProbe, PendingWork, unpublished_events
from streams.relay.checkpoint import EVENTS_SHARD, STATES_SHARD, read_checkpoints

#: Between two probes of what seems stalled: a backlog that is being worked off moves meanwhile.
_AGAIN_SECONDS: Final = 2.0


def core_stalls(settings: Settings) -> list[Stall]:
    """List work that has been pending for ``stalled_after_seconds`` and makes no progress.

    :raises Retry: the database cannot be reached.
    :raises KafkaException: the broker does not answer.
    """
    probe = BacklogProbe(settings)
    try:
        with connect(settings, application_name="interactions-stalls", autocommit=True) as connection:
            first = _late(settings, connection, probe)
            if not first:
                return []
            time.sleep(_AGAIN_SECONDS)
            again = _late(settings, connection, probe)
    finally:
        probe.close()
    return [work.stall(work.seconds) for key, work in again.items() if key in first]


def _late(
    settings: Settings, connection: Connection, probe: BacklogProbe
) -> dict[tuple[str, str, Hashable], PendingWork]:
    return {
        (work.stage, work.key, work.position): work
        for work in _pending(settings, connection, probe)
        if work.seconds >= settings.stalled_after_seconds
    }


def _pending(settings: Settings, connection: Connection, probe: BacklogProbe) -> Iterator[PendingWork]:
    numbers, stored = probe.partitions(), probe.partition_progress(connection)
    now = server_time(connection).timestamp()
    yield from probe.unapplied(stored, numbers, now)
    yield from probe.unpublished(stored, numbers, now)
    checkpoints = read_checkpoints(settings)
    checkpoint = checkpoints.get(STATES_SHARD) or checkpoints.get(EVENTS_SHARD)
    yield from unpublished_events(
        connection, checkpoint.position if checkpoint is not None else JournalPosition()
    )
    yield from timer_rows(connection, settings, probe)
    yield from waiting_jobs(connection)
