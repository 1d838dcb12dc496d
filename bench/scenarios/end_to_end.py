"""End to end with one applier; then the relay's drain of its events; then the same commands again."""

from __future__ import annotations

import time
from typing import Final

from bench.context import Bench
from bench.deployment import fresh_deployment
from bench.kafka_clients import count_records, reader
from bench.roles import running
from bench.samples import Sample
from bench.scenarios.flow import drive
from bench.servers import checkpoint
from bench.workload import creates, entity_ids
from runtime.postgres import connect
from schemas.topics import EVENTS

_SILENCE: Final = 20.0


def end_to_end(bench: Bench) -> Sample:
    """Commands per second for the first time and repeated, and the relay's drain of their events until
    a ``read_committed`` consumer has them all.

    The relay is the leader before the backlog is published, and paused until its turn.
    """
    sizes = bench.sizes
    messages = creates(sizes.commands + sizes.warm_up, entity_ids(sizes.entities), "flow")
    warm, measured = messages[: sizes.warm_up], messages[sizes.warm_up :]
    with (
        fresh_deployment(bench.servers) as settings,
        running(settings, ["applier", "relay"]) as (applier, relay),
        connect(settings, application_name="interactions-bench", autocommit=True) as connection,
    ):

        def events_stored() -> int:
            found = connection.execute("SELECT coalesce(sum(events), 0) FROM journal").fetchone()
            return int(found[0]) if found else 0

        events = reader(settings, [EVENTS])
        try:
            drive(settings, [applier], warm)
            before = events_stored()
            if count_records(events, before, _SILENCE) != before:
                raise RuntimeError("the relay did not publish the warm-up")
            relay.freeze()
            checkpoints = checkpoint(bench.servers)
            first = drive(settings, [applier], measured)
            waiting = events_stored() - before
            began = time.perf_counter()
            relay.thaw()
            seen = count_records(events, waiting, _SILENCE)
            drained = time.perf_counter() - began
            if seen != waiting:
                raise RuntimeError(f"the relay published {seen} of {waiting} events")
        finally:
            events.close()
        again = drive(settings, [applier], measured)
        relay_memory = relay.memory()
    count = len(measured)
    return {
        "rate": count / first.seconds,
        "applied_rate": count / first.applied_seconds,
        "repeated_rate": count / again.seconds,
        "processor_us": first.processor_us,
        "drain_events": waiting / drained,
        "drain_commands": count / drained,
        "events_per_command": waiting / count,
        "relay_rss": relay_memory["rss"],
        "checkpoints": checkpoints,
        **first.memory,
    }
