"""Cost per command by batch size and by number of customers."""

from __future__ import annotations

import time
from typing import Final

from bench.context import Bench
from bench.deployment import apply_batches, fresh_database, tune_gc
from bench.samples import Sample
from bench.servers import checkpoint
from bench.workload import Message, creates, decode, entity_ids
from runtime.postgres import connect
from schemas.topics import COMMANDS

BATCHES: Final = (1, 10, 50, 200, 500, 1000, 2000, 5000)
CUSTOMERS: Final = (1, 10, 100, 1000, 5000)


def batch_sizes(bench: Bench) -> Sample:
    """Microseconds per command, by commands per transaction."""
    entities = entity_ids(bench.sizes.entities)
    found = {}
    for size in BATCHES:
        count = max(200, min(bench.sizes.growth_commands // 2, size * 40))
        found[str(size)] = _cost(bench, creates(count, entities, f"batch-{size}"), size)
    return {"us": found}


def fan_out(bench: Bench) -> Sample:
    """Microseconds per command, by number of customers that the commands are spread over."""
    sizes = bench.sizes
    found = {}
    for customers in CUSTOMERS:
        entities = entity_ids(min(customers, sizes.entities))
        messages = creates(sizes.growth_commands // 2, entities, f"fan-{customers}")
        found[str(len(entities))] = _cost(bench, messages, sizes.batch_size)
    return {"us": found}


def _cost(bench: Bench, messages: list[Message], size: int) -> float:
    with fresh_database(bench.servers) as settings:
        commands = decode(messages, settings.topic(COMMANDS), bench.sizes.partitions)
        tune_gc()
        checkpoint(bench.servers)
        with connect(settings, application_name="interactions-bench") as connection:
            began = time.perf_counter()
            apply_batches(connection, settings, commands, size)
            return (time.perf_counter() - began) / len(messages) * 1e6
