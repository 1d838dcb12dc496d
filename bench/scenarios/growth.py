"""The same work on small and large tables, through SQL only."""

from __future__ import annotations

import time

from bench.context import Bench
from bench.deployment import apply_batches, drop_database, fresh_database, tune_gc
from bench.samples import Sample
from bench.servers import checkpoint
from bench.tables import PER_CUSTOMER, make_tables
from bench.workload import decode, mixed
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import COMMANDS


def growth(bench: Bench) -> Sample:
    """Commands per second (creates, completions and reschedules) on the small tables, then on the large ones.

    The small tables are copied per sample. The large ones are created once: a copy would take longer than
    the work.
    """
    sizes = bench.sizes
    few = stored_tables(bench, sizes.few_rows, sizes.logged_rows)
    many = stored_tables(bench, sizes.many_rows, sizes.logged_rows * 10)
    found: Sample = {"few": sizes.few_rows, "many": sizes.many_rows}
    with fresh_database(bench.servers, few.name) as settings:
        found["few_rate"] = _rate(
            bench, settings, StoredTables(few.name, settings, sizes.partitions), sizes.few_rows
        )
    found["many_rate"] = _rate(bench, many.settings, many, sizes.many_rows)
    return found


class StoredTables:
    """A database with stored interactions, those already named by commands, and its log end offsets."""

    def __init__(self, name: str, settings: Settings, partitions: int) -> None:
        self.name = name
        self.settings = settings
        self.used: set[int] = set()
        self.ends = [0] * partitions


def stored_tables(bench: Bench, rows: int, logged: int) -> StoredTables:
    """Tables with ``rows`` interactions, created once per run."""
    key = f"tables-{rows}"
    found = bench.shared.get(key)
    if not isinstance(found, StoredTables):
        name = f"bench_{rows}"
        settings = make_tables(bench.servers, name, rows, logged, bench.progress)
        bench.closing.callback(drop_database, bench.servers, name)
        found = bench.shared[key] = StoredTables(name, settings, bench.sizes.partitions)
    return found


def _rate(bench: Bench, settings: Settings, stored: StoredTables, rows: int) -> float:
    sizes = bench.sizes
    seed = f"growth-{bench.samples.count('growth')}"
    messages = mixed(sizes.growth_commands, rows // PER_CUSTOMER, seed, stored.used)
    commands = decode(messages, settings.topic(COMMANDS), sizes.partitions, stored.ends)
    tune_gc()
    checkpoint(bench.servers)
    with connect(settings, application_name="interactions-bench") as connection:
        began = time.perf_counter()
        apply_batches(connection, settings, commands, sizes.batch_size)
        seconds = time.perf_counter() - began
        outcomes = connection.execute(
            "SELECT count(*) FROM journal WHERE command_id LIKE %s AND outcome = 'applied'",
            (f"{seed}-%",),
        ).fetchone()
    if outcomes is None or outcomes[0] != len(messages):
        raise RuntimeError(f"{outcomes} of {len(messages)} commands were applied")
    return len(messages) / seconds
