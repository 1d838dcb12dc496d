"""Capacity plan for a billion interactions and 100 thousand commands per second, from one run's samples."""

from __future__ import annotations

import math
from statistics import median

from bench.samples import Samples

COMMANDS_PER_SECOND = 100_000
INTERACTIONS = 1_000_000_000
#: Planned utilization of a machine; the rest is for peaks, vacuum, backups and a failed machine.
USED = 0.6
MONTH_SECONDS = 30 * 24 * 3600


def plan_table(samples: Samples, cores: int) -> str:
    """Format the capacity plan; every number is a sample or follows from one.

    :raises MissingSample: a scenario that it needs did not run.
    """
    whole = median(samples.series("capacity", "rate"))
    one, two = median(samples.series("end_to_end", "rate")), median(samples.series("two_processes", "rate"))
    drain = median(samples.series("end_to_end", "drain_commands"))
    rows = median(samples.series("end_to_end", "events_per_command"))
    wal, disk = (
        median(samples.series("sql_only", "wal_bytes")),
        median(samples.series("sql_only", "disk_bytes")),
    )
    shards = math.ceil(COMMANDS_PER_SECOND / (whole * USED))
    appliers = math.ceil(COMMANDS_PER_SECOND / (one * USED))
    relays = max(shards, math.ceil(COMMANDS_PER_SECOND / (drain * USED)))
    partitions = 2 * appliers
    a_shard = COMMANDS_PER_SECOND / shards
    lines = (
        ("one such machine, servers and roles together, events published", f"{whole:,.0f} commands/s"),
        ("planned utilization", f"{USED:.0%}"),
        (f"Postgres shards ({cores} cores each, with their appliers and relay)", f"{shards:,}"),
        ("commands per second per shard", f"{a_shard:,.0f}"),
        ("interactions per shard", f"{INTERACTIONS / shards:,.0f}"),
        (f"applier processes (measured: one {one:,.0f}/s, two {two:,.0f}/s)", f"{appliers:,}"),
        ("partitions of the commands topic, two per applier process", f"{partitions:,}"),
        (f"relays (one drains {drain:,.0f} commands/s, {rows:.2f} events each)", f"{relays:,}"),
        ("write-ahead log, all shards", f"{COMMANDS_PER_SECOND * wal / 2**20:,.0f} MiB/s"),
        ("rows and indexes written, all shards (journal included)",
         f"{COMMANDS_PER_SECOND * disk / 2**20:,.0f} MiB/s"),
        ("the same per shard and month of retention", f"{a_shard * disk * MONTH_SECONDS / 2**40:,.1f} TiB"),
    )  # fmt: skip
    return "\n".join(["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in lines)])
