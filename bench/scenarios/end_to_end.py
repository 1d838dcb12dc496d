"""End to end with one applier; then the relay's drain of its outbox; then the same commands again."""

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
    """Commands per second for the first time and repeated, and the relay's drain of their outbox rows until
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

        def rows() -> int:
            found = connection.execute("SELECT count(*) FROM outbox").fetchone()
            return int(found[0]) if found else 0

        events = reader(settings, [EVENTS])
        try:
            drive(settings, [applier], warm)
            before = rows()
            if count_records(events, before, _SILENCE) != before:
                raise RuntimeError("the relay did not publish the warm-up")
            relay.freeze()
            checkpoints = checkpoint(bench.servers)
            first = drive(settings, [applier], measured)
            outbox = rows() - before
            began = time.perf_counter()
            relay.thaw()
            seen = count_records(events, outbox, _SILENCE)
            drained = time.perf_counter() - began
            if seen != outbox:
                raise RuntimeError(f"the relay published {seen} of {outbox} events")
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
        "drain_rows": outbox / drained,
        "drain_commands": count / drained,
        "rows_per_command": outbox / count,
        "relay_rss": relay_memory["rss"],
        "checkpoints": checkpoints,
        **first.memory,
    }
