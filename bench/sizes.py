"""Sizes of a run: the full measurement, or a quick one of ten minutes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Amounts of work in a run.

    :param rounds: runs of every scenario; scenarios take turns within a round.
    :param commands: commands per throughput sample, after ``warm_up`` commands outside the clock.
    :param entities: customers that the commands are spread over.
    :param row_by_row: commands per sample of the row-by-row baseline.
    :param latency_seconds: length of one latency sample; each load has ``latency_rounds`` samples.
    :param few_rows, many_rows: interactions in the small and large tables of P11.
    :param logged_rows: rows of the journal next to ``few_rows``; ten times as many
        next to ``many_rows``.
    :param mirrored_changes: changes per connector fairness sample, of which there are ``latency_rounds``.
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
