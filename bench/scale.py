"""A billion interactions and 100 thousand commands a second on paper, from what one machine has done."""

from __future__ import annotations

import math
from statistics import median

from bench.samples import Samples

COMMANDS_PER_SECOND = 100_000
INTERACTIONS = 1_000_000_000
#: How much of a machine's rate is planned with: the rest is for peaks, vacuum, backups and a lost neighbour.
USED = 0.6
MONTH_SECONDS = 30 * 24 * 3600


def plan_table(samples: Samples, cores: int) -> str:
    """The sum, line by line; every number in it is a sample's or follows from one.

    :raises MissingSample: an arm it rests on did not run.
    """
    whole = median(samples.series("capacity", "rate"))
    one, two = median(samples.series("end_to_end", "rate")), median(samples.series("two_processes", "rate"))
    drain = median(samples.series("end_to_end", "drain_commands"))
    rows = median(samples.series("end_to_end", "rows_per_command"))
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
        ("one machine like this, servers and roles together, events out", f"{whole:,.0f} commands/s"),
        ("planned with", f"{USED:.0%} of it"),
        (f"shards of Postgres ({cores} cores each, as here, with their appliers and relay)", f"{shards:,}"),
        ("commands a second on a shard", f"{a_shard:,.0f}"),
        ("interactions on a shard", f"{INTERACTIONS / shards:,.0f}"),
        ("applier processes (one alone here: " + f"{one:,.0f}/s, two: {two:,.0f}/s)", f"{appliers:,}"),
        ("partitions of the commands topic, two for each applier process", f"{partitions:,}"),
        (f"relay shards (one drains {drain:,.0f} commands/s, {rows:.2f} events each)", f"{relays:,}"),
        ("write-ahead log of all shards", f"{COMMANDS_PER_SECOND * wal / 2**20:,.0f} MiB/s"),
        ("rows and indexes written by all shards (log and outbox included)",
         f"{COMMANDS_PER_SECOND * disk / 2**20:,.0f} MiB/s"),
        ("that, kept for a month, on one shard", f"{a_shard * disk * MONTH_SECONDS / 2**40:,.1f} TiB"),
    )  # fmt: skip
    return "\n".join(["| | |", "|---|---:|", *(f"| {name} | {value} |" for name, value in lines)])
