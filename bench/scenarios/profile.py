"""Profile of the applier: each stage alone, in one thread, over the same commands."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any
from unittest import mock

import orjson

import sinks.batch
from bench.context import Bench
from bench.deployment import CUSTOMERS, apply_batches, fresh_deployment, tune_gc
from bench.kafka_clients import publish
from bench.samples import Sample
from bench.scenarios.growth import stored_tables
from bench.servers import checkpoint
from bench.tables import PER_CUSTOMER
from bench.workload import Message, creates, entity_ids, mixed
from runtime.codec import make_codec
from runtime.kafka import FLUSHED_LINGER_MS, make_consumer, make_producer
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from schemas.topics import COMMANDS, RESULTS
from streams.applier import apply as applier
from streams.applier.result_records import result_record


class _Clock:
    """Sum of wall and processor time per stage."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.processor: dict[str, float] = {}

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        wall, processor = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            self.wall[name] = self.wall.get(name, 0.0) + time.perf_counter() - wall
            self.processor[name] = self.processor.get(name, 0.0) + time.thread_time() - processor

    def around(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any, **options: Any) -> Any:
            with self.stage(name):
                return call(*arguments, **options)

        return timed


def profile(bench: Bench) -> Sample:
    """Profile creates."""
    sizes = bench.sizes
    return _profile(bench, CUSTOMERS, creates(sizes.growth_commands, entity_ids(sizes.entities), "profile"))


def profile_mixed(bench: Bench) -> Sample:
    """Profile the work of P11 (half creates, the rest completions and reschedules) on its small tables."""
    sizes = bench.sizes
    few = stored_tables(bench, sizes.few_rows, sizes.logged_rows)
    customers = sizes.few_rows // PER_CUSTOMER
    return _profile(bench, few.name, mixed(sizes.growth_commands, customers, "profile", set()))


def _profile(bench: Bench, template: str, messages: Sequence[Message]) -> Sample:
    """Microseconds per command: consume, decode, validate, load, decide, encode and send, commit, results.

    ``waiting`` is the part of load and store that the client spends waiting for Postgres.
    """
    sizes, count, clock = bench.sizes, len(messages), _Clock()
    with fresh_deployment(bench.servers, template) as settings:
        publish(settings, messages)
        records = _consume(settings, count, clock)
        commands = _decode(records, clock)
        tune_gc()
        checkpoint(bench.servers)
        decisions: list[Any] = []
        real = applier.Applier.apply

        def apply(self: applier.Applier, *arguments: Any) -> Any:
            with clock.stage("transaction"):
                made = real(self, *arguments)
            decisions.extend(made)
            return made

        with ExitStack() as patched:
            connection = patched.enter_context(connect(settings, application_name="interactions-bench"))
            patched.enter_context(mock.patch.object(applier.Applier, "apply", apply))
            parts = (
                (sinks.batch, "load_read_set", "load"),
                (applier, "fold", "decide"),
                (sinks.batch, "store", "store"),
            )
            for module, name, stage in parts:
                timed = clock.around(stage, getattr(module, name))
                patched.enter_context(mock.patch.object(module, name, timed))
            apply_batches(connection, settings, commands, sizes.batch_size)
        _results(settings, decisions, clock)
    rest = clock.wall["transaction"] - sum(clock.wall[name] for name in ("load", "decide", "store"))
    waiting = {name: clock.wall[name] - clock.processor[name] for name in ("load", "store")}
    microseconds = {
        "consume": clock.wall["consume"],
        "decode (JSON)": clock.wall["parse"],
        "validate (envelope, model, fingerprint)": clock.wall["decode"] - clock.wall["parse"],
        "load: client": clock.processor["load"],
        "load: waiting for Postgres": waiting["load"],
        "decide": clock.wall["decide"],
        "encode rows, events, log: client": clock.processor["store"],
        "write rows: waiting for Postgres": waiting["store"],
        "locks, watermark, commit": rest,
        "results (encode, produce, acknowledge)": clock.wall["results"],
    }
    return {"us": {name: seconds / count * 1e6 for name, seconds in microseconds.items()}, "commands": count}


def _consume(settings: Settings, count: int, clock: _Clock) -> list[IncomingRecord]:
    consumer = make_consumer(settings, "interactions-bench-profile")
    consumer.subscribe([settings.topic(COMMANDS)])
    try:
        records = [_record(message) for message in consumer.consume(1, 30.0)]  # joining is not timed
        while len(records) < count:
            with clock.stage("consume"):
                # Hazard: asking for more records than there are waits the whole second and counts it.
                messages = consumer.consume(min(2000, count - len(records)), 1.0)
                records.extend(_record(message) for message in messages)
    finally:
        consumer.close()
    records.sort(key=lambda record: (record.offset, record.partition))
    return records


def _record(message: Any) -> IncomingRecord:
    return IncomingRecord(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
    )


def _decode(records: list[IncomingRecord], clock: _Clock) -> list[Command | Refused]:
    with clock.stage("parse"):
        for record in records:
            orjson.loads(record.value or b"")
    with clock.stage("decode"):
        return [decode_record(record, _no_avro) for record in records]


def _results(settings: Settings, decisions: list[Any], clock: _Clock) -> None:
    codec = make_codec(settings, RESULTS)
    producer = make_producer(
        settings, **{"linger.ms": FLUSHED_LINGER_MS, "queue.buffering.max.messages": 500_000}
    )
    producer.list_topics(timeout=10)
    topic = settings.topic(RESULTS)
    with clock.stage("results"):
        for decision in decisions:
            record = result_record(decision, codec.encode_result)
            producer.produce(topic, value=record.value, key=record.key, headers=record.headers)
        producer.flush(30)


def _no_avro(_: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("the bench publishes JSON")
