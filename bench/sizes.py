"""How much work a run does: the whole measurement, or a quick one of ten minutes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The amounts of a run.

    :param rounds: repetitions of every arm; arms take turns within a round.
    :param commands: commands of one throughput sample; ``warm_up`` of them come before the clock starts.
    :param entities: customers they are spread over.
    :param row_by_row: commands of a sample of the slow baseline.
    :param latency_seconds: length of one sample of the latencies; ``latency_rounds`` of each load.
    :param few_rows, many_rows: interactions in the tables of the growth measure.
    :param logged_rows: rows of the command log and of the outbox beside ``few_rows``; ten times as many
        beside ``many_rows``.
    :param mirrored_changes: changes of one sample of the connectors' fairness; it has ``latency_rounds``.
    """

    rounds: int
    commands: int
    warm_up: int
    entities: int
    row_by_row: int
    latency_rounds: int
    latency_seconds: float
    growth_rounds: int
    growth_commands: int
    few_rows: int
    many_rows: int
    logged_rows: int
    mirrored_changes: int
    batch_size: int = 1000
    partitions: int = 6


FULL = Sizes(
    rounds=5,
    commands=60_000,
    warm_up=2_000,
    entities=7_500,
    row_by_row=4_000,
    latency_rounds=3,
    latency_seconds=30.0,
    growth_rounds=5,
    growth_commands=10_000,
    few_rows=100_000,
    many_rows=10_000_000,
    logged_rows=100_000,
    mirrored_changes=80,
)
QUICK = Sizes(
    rounds=2,
    commands=20_000,
    warm_up=1_000,
    entities=2_500,
    row_by_row=2_000,
    latency_rounds=1,
    latency_seconds=12.0,
    growth_rounds=2,
    growth_commands=6_000,
    few_rows=100_000,
    many_rows=1_000_000,
    logged_rows=100_000,
    mirrored_changes=60,
)
