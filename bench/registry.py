"""The arms and the measures of the bench. A new measure is a file and a line here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.context import Arm
from bench.metric import Measure
from bench.metrics import (
    c1_dead_provider,
    c2_hostile_providers,
    g1_confirmed_post,
    g3_list_growth,
    g4_streams,
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
)
from bench.scenarios.curves import batch_sizes, fan_out
from bench.scenarios.end_to_end import end_to_end
from bench.scenarios.fairness import changes_alone, changes_beside_hostile
from bench.scenarios.flow import hot_keys, poison, two_processes
from bench.scenarios.gateway import confirmed_post, list_pages, open_streams, plain_post
from bench.scenarios.growth import growth
from bench.scenarios.latency import capacity, half_load, tenth_load
from bench.scenarios.peers import debezium_sink, quix, stock_faust
from bench.scenarios.profile import profile
from bench.scenarios.provider import writes_provider_down, writes_provider_up
from bench.scenarios.sql_only import sql_only
from bench.sizes import Sizes


@dataclass(frozen=True, slots=True)
class Group:
    """Arms that take turns: in every round each of them runs once, in this order.

    :param rounds: how many rounds a run of these sizes has.
    """

    arms: dict[str, Arm]
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
            "quix": quix,
        },
        lambda sizes: sizes.rounds,
    ),
    Group({"capacity": capacity}, lambda sizes: sizes.latency_rounds),
    Group({"half_load": half_load, "tenth_load": tenth_load}, lambda sizes: sizes.latency_rounds),
    Group(
        {
            "confirmed_post": confirmed_post,
            "plain_post": plain_post,
            "list_pages": list_pages,
            "open_streams": open_streams,
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
    Group({"profile": profile, "batch_sizes": batch_sizes, "fan_out": fan_out}, lambda _: 1),
)

#: Beside the measures' own: what the profile and the plots are made of.
PORTRAIT: Final = ("profile", "batch_sizes", "fan_out", "growth")

MEASURES: Final[tuple[Measure, ...]] = (
    p1_sql_only.MEASURE,
    p2_end_to_end.MEASURE,
    p3_row_by_row.MEASURE,
    p4_peers.MEASURE,
    p5_duplicates.MEASURE,
    p6_relay.MEASURE,
    p7_event_latency.MEASURE,
    p8_outcome_latency.MEASURE,
    p9_two_processes.MEASURE,
    p10_poison.MEASURE,
    p11_table_size.MEASURE,
    p12_hot_keys.MEASURE,
    p13_memory.MEASURE,
    g1_confirmed_post.P50,
    g1_confirmed_post.P99,
    g3_list_growth.MEASURE,
    g4_streams.MEASURE,
    c1_dead_provider.MEASURE,
    c2_hostile_providers.MEASURE,
)
