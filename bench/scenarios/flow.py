"""Kafka record → committed, result published: publish a backlog to paused appliers, then time them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.context import Bench
from bench.deployment import fresh_deployment
from bench.kafka_clients import PublishedResults, publish
from bench.processor_time import of_servers
from bench.roles import RoleProcess, running, wait_until
from bench.samples import Sample
from bench.servers import checkpoint
from bench.workload import Message, creates, entity_ids, with_poison
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import COMMANDS
from sinks.consumed_offsets import watermarks

_TIMEOUT: Final = 300.0


@dataclass(frozen=True, slots=True)
class Flow:
    """Timing of one backlog.

    :param seconds: from the start to the publication of the last result.
    :param applied_seconds: from the start to the last commit.
    :param memory: of the largest applier, in MiB.
    :param processor_us: processor time per command, over all appliers; ``all_us``: with Postgres and Kafka.
    """

    seconds: float
    applied_seconds: float
    memory: dict[str, float]
    processor_us: float
    all_us: float


def drive(settings: Settings, processes: Sequence[RoleProcess], messages: Sequence[Message]) -> Flow:
    """Pause the appliers, publish the backlog, resume them, and wait until every result is published."""
    results = PublishedResults(settings)
    before = results.count()
    for process in processes:
        process.freeze()
    publish(settings, messages)
    wanted = before + len(messages)
    used = sum(process.processor_seconds() for process in processes)
    by_servers = of_servers(settings)
    topic = settings.topic(COMMANDS)
    with connect(settings, application_name="interactions-bench", autocommit=True) as connection:
        began = time.perf_counter()
        for process in processes:
            process.thaw()
        wait_until(
            lambda: sum(watermarks(connection, settings.consumer_group, topic).values()) >= wanted,
            _TIMEOUT,
            "every command is applied",
        )
        applied = time.perf_counter() - began
        wait_until(lambda: results.count() >= wanted, _TIMEOUT, "every result is published")
        seconds = time.perf_counter() - began
    memory = max((process.memory() for process in processes), key=lambda found: found["rss_peak"])
    used = sum(process.processor_seconds() for process in processes) - used
    by_servers = of_servers(settings) - by_servers
    per_command = 1e6 / len(messages)
    return Flow(seconds, applied, memory, used * per_command, (used + by_servers) * per_command)


def sample(bench: Bench, messages: Sequence[Message], appliers: int = 1) -> Sample:
    """Rate of one backlog in a fresh deployment, after a warm-up.

    :param messages: the warm-up, followed by the measured commands.
    """
    warm = bench.sizes.warm_up
    with (
        fresh_deployment(bench.servers) as settings,
        running(settings, ["applier"] * appliers) as processes,
    ):
        drive(settings, processes, messages[:warm])
        checkpoints = checkpoint(bench.servers)
        flow = drive(settings, processes, messages[warm:])
    return {
        "rate": (len(messages) - warm) / flow.seconds,
        "processor_us": flow.processor_us,
        "all_us": flow.all_us,
        "checkpoints": checkpoints,
        **flow.memory,
    }


def two_processes(bench: Bench) -> Sample:
    """Rate of two applier processes that share the partitions."""
    return sample(bench, _creates(bench), appliers=2)


def hot_keys(bench: Bench) -> Sample:
    """Rate with all commands on ten customers."""
    sizes = bench.sizes
    return sample(bench, creates(sizes.commands + sizes.warm_up, entity_ids(10), "flow"))


def poison(bench: Bench) -> Sample:
    """Rate with one bad record per hundred; only the healthy ones count."""
    messages = with_poison(_creates(bench))
    found = sample(bench, messages)
    return {**found, "rate": found["rate"] * 99 / 100}


def _creates(bench: Bench) -> list[Message]:
    sizes = bench.sizes
    return creates(sizes.commands + sizes.warm_up, entity_ids(sizes.entities), "flow")
