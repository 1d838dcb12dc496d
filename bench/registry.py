"""Scenarios and metrics of the bench. A new metric is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.context import Scenario
from bench.metric import Metric
from bench.metrics import (
    c1_dead_provider,
    c2_hostile_providers,
    g1_confirmed_post,
    g3_list_growth,
    g4_streams,
    g5_work_list,
    p1_sql_only,
    p2_end_to_end,
    p3_row_by_row,
    p4_peers,
    p5_duplicates,
    p6_relay,
    p7_event_latency,
    p8_outcome_latency,
    p9_two_processes,
    p10_poison,
    p11_table_size,
    p12_hot_keys,
    p13_memory,
    p14_write_ahead_log,
)
from bench.scenarios.curves import batch_sizes, fan_out
from bench.scenarios.end_to_end import end_to_end
from bench.scenarios.fairness import changes_alone, changes_beside_hostile
from bench.scenarios.flow import hot_keys, poison, two_processes
from bench.scenarios.gateway import confirmed_post, list_pages, open_streams, plain_post
from bench.scenarios.growth import growth
from bench.scenarios.latency import capacity, fixed_load
from bench.scenarios.pages import work_list
from bench.scenarios.peers import debezium_sink, debezium_sink_two, quix, stock_faust
from bench.scenarios.profile import profile, profile_mixed
from bench.scenarios.provider import writes_provider_down, writes_provider_up
from bench.scenarios.sql_only import sql_only
from bench.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Group:
    """Scenarios that take turns: each runs once per round, in this order.

    :param rounds: number of rounds for these sizes.
    """

    scenarios: dict[str, Scenario]
    rounds: Callable[[Sizes], int]


GROUPS: Final = (
    Group(
        {
            "sql_only": sql_only,
            "end_to_end": end_to_end,
            "two_processes": two_processes,
            "hot_keys": hot_keys,
            "poison": poison,
            "stock_faust": stock_faust,
            "debezium_sink": debezium_sink,
            "debezium_sink_two": debezium_sink_two,
            "quix": quix,
        },
        lambda sizes: sizes.rounds,
    ),
    Group({"capacity": capacity}, lambda sizes: sizes.latency_rounds),
    Group({"fixed_load": fixed_load}, lambda sizes: sizes.latency_rounds),
    Group(
        {
            "confirmed_post": confirmed_post,
            "plain_post": plain_post,
            "list_pages": list_pages,
            "open_streams": open_streams,
            "work_list": work_list,
            "writes_provider_up": writes_provider_up,
            "writes_provider_down": writes_provider_down,
        },
        lambda sizes: sizes.latency_rounds,
    ),
    Group(
        {"changes_alone": changes_alone, "changes_beside_hostile": changes_beside_hostile},
        lambda sizes: sizes.latency_rounds,
    ),
    Group({"growth": growth}, lambda sizes: sizes.growth_rounds),
    Group(
        {
            "profile": profile,
            "profile_mixed": profile_mixed,
            "batch_sizes": batch_sizes,
            "fan_out": fan_out,
        },
        lambda _: 1,
    ),
)

#: Scenarios for the profile, the plots and the capacity plan, in addition to those of the metrics.
PROFILE_SCENARIOS: Final = ("profile", "profile_mixed", "batch_sizes", "fan_out", "growth", "capacity")

METRICS: Final[tuple[Metric, ...]] = (
    p1_sql_only.METRIC,
    p2_end_to_end.METRIC,
    p3_row_by_row.METRIC,
    p4_peers.RATE,
    p4_peers.PROCESSOR_TIME,
    p4_peers.PER_ROW,
    p5_duplicates.METRIC,
    p6_relay.METRIC,
    p7_event_latency.METRIC,
    p8_outcome_latency.METRIC,
    p9_two_processes.METRIC,
    p10_poison.METRIC,
    p11_table_size.METRIC,
    p12_hot_keys.METRIC,
    p13_memory.METRIC,
    p14_write_ahead_log.METRIC,
    g1_confirmed_post.P50,
    g1_confirmed_post.P99,
    g3_list_growth.METRIC,
    g4_streams.METRIC,
    g5_work_list.METRIC,
    c1_dead_provider.METRIC,
    c2_hostile_providers.METRIC,
)
