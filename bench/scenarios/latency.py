"""Latency at a fixed rate: from publishing to the outcome, and from commit to event.

Latency counts from each message's intended send time, so that a publisher that falls behind makes latencies
longer, not fewer (no coordinated omission).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]

from bench.arithmetic import percentile
from bench.context import Bench
from bench.deployment import fresh_deployment
from bench.kafka_clients import count_records, reader
from bench.roles import running
from bench.samples import Sample
from bench.scenarios.flow import drive
from bench.servers import checkpoint
from bench.workload import Message, creates, entity_ids
from domain.events import events_of
from runtime.kafka import make_admin, make_producer, take_batch
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.topics import COMMANDS, EVENTS, RESULTS
from sinks.journal_rows import ENTRY, entry_of

_POLL: Final = 0.001
_PER_SECOND: Final = 1_000


def capacity(bench: Bench) -> Sample:
    """Commands per second that the whole pipeline sustains, applier and relay together, until results and
    events are published."""
    sizes = bench.sizes
    messages = creates(sizes.commands + sizes.warm_up, entity_ids(sizes.entities), "capacity")
    warm, measured = messages[: sizes.warm_up], messages[sizes.warm_up :]
    with (
        fresh_deployment(bench.servers) as settings,
        running(settings, ["applier", "relay"]) as (applier, relay),
        connect(settings, application_name="interactions-bench", autocommit=True) as connection,
    ):
        events = reader(settings, [EVENTS])
        try:
            drive(settings, [applier], warm)
            before = _events(connection)
            count_records(events, before, 20.0)
            checkpoint(bench.servers)
            began = time.perf_counter()
            flow = drive(settings, [applier], measured)
            publishing = time.perf_counter() - began - flow.seconds
            waiting = _events(connection) - before
            if count_records(events, waiting, 20.0) != waiting:
                raise RuntimeError("the relay did not publish everything")
            seconds = time.perf_counter() - began - publishing
        finally:
            events.close()
        return {"rate": len(measured) / seconds, "relay_pss": relay.memory()["pss"]}


def fixed_load(bench: Bench) -> Sample:
    """Latencies at 1,000 commands per second: the same load on every revision and machine."""
    sizes = bench.sizes
    count = int(_PER_SECOND * sizes.latency_seconds)
    messages = creates(count, entity_ids(sizes.entities), "fixed")
    with (
        fresh_deployment(bench.servers) as settings,
        running(settings, ["applier", "relay"]) as (applier, _),
        connect(settings, application_name="interactions-bench", autocommit=True) as connection,
    ):
        drive(settings, [applier], creates(sizes.warm_up, entity_ids(sizes.entities), "warm"))
        before = _events(connection)
        events = reader(settings, [EVENTS])
        published = count_records(events, before, 20.0)
        events.close()
        if published != before:
            raise RuntimeError(f"the relay published {published} of the warm-up's {before} events")
        checkpoint(bench.servers)
        transactions = _transaction_seconds(settings)
        readers = _Readers(settings)
        readers.start()
        intended, late = _send(settings, messages, _PER_SECOND)
        readers.finish(count, lambda: _events(connection) - before)
        outcome = [readers.results[name] - moment for name, moment in intended.items()]
        latencies = _after_commit(connection, readers.events)
    # The first second warms caches; every sample leaves it out.
    settled = int(_PER_SECOND * min(1.0, sizes.latency_seconds / 10))
    return {
        "pace": _PER_SECOND,
        "outcome_p50": percentile(outcome[settled:], 0.50),
        "outcome_p99": percentile(outcome[settled:], 0.99),
        "event_p50": percentile(latencies, 0.50),
        "event_p99": percentile(latencies, 0.99),
        "transaction_p50": percentile(transactions, 0.50),
        "transaction_p99": percentile(transactions, 0.99),
        "publisher_late_p99": percentile(late[settled:], 0.99),
        "samples": len(outcome),
    }


class _Readers(threading.Thread):
    """Record the wall-clock time at which each result and event became readable (committed)."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="readers", daemon=True)
        self.results: dict[str, float] = {}
        self.events: dict[str, float] = {}
        self._consumer: Consumer = reader(settings, [RESULTS, EVENTS], from_end=True)
        self._results = settings.topic(RESULTS)
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.is_set():
            messages = take_batch(self._consumer, 500, 0.05)
            now = time.time()
            for message in messages:
                if message.error() is not None:
                    continue
                headers: dict[str, Any] = dict(message.headers() or [])
                if message.topic() == self._results:
                    self.results.setdefault(headers["ce_causationid"].decode(), now)
                else:
                    self.events.setdefault(headers["ce_id"].decode(), now)

    def finish(self, results: int, events: Callable[[], int]) -> None:
        """Wait for the given number of results and events, then stop.

        :raises RuntimeError: some did not arrive within 60 s.
        """
        deadline = time.monotonic() + 60
        while len(self.results) < results or len(self.events) < events():
            if time.monotonic() > deadline:
                raise RuntimeError(
                    f"only {len(self.results)} of {results} results and {len(self.events)} events arrived"
                )
            time.sleep(0.05)
        self._over.set()
        self.join(10)
        self._consumer.close()


def _send(
    settings: Settings, messages: Sequence[Message], pace: float
) -> tuple[dict[str, float], list[float]]:
    """Send at a fixed rate; returns the intended time of each command, and how late each was sent."""
    producer: Producer = make_producer(settings)
    producer.list_topics(timeout=10)
    topic = settings.topic(COMMANDS)
    began = time.time() + 0.2
    intended: dict[str, float] = {}
    late: list[float] = []
    sent = 0
    while sent < len(messages):
        now = time.time()
        due = min(len(messages), int((now - began) * pace) + 1) if now >= began else 0
        while sent < due:
            message = messages[sent]
            moment = began + sent / pace
            name = message.value[message.value.index(b'"id":"') + 6 :].partition(b'"')[0].decode()
            intended[name] = moment
            producer.produce(topic, key=message.key, value=message.value)
            late.append(time.time() - moment)
            sent += 1
        producer.poll(0)
        time.sleep(_POLL)
    producer.flush(30)
    return intended, late


def _after_commit(connection: Connection, readable: dict[str, float]) -> list[float]:
    """Seconds from the commit that wrote each event until it was readable."""
    rows = connection.execute(
        "SELECT extract(epoch FROM pg_xact_commit_timestamp((j.xid % 4294967296)::text::xid))::float8,"
        f" {ENTRY} FROM journal j WHERE j.events > 0"
    )
    return [
        readable[event.id] - committed
        for committed, *row in rows
        for event in events_of(entry_of(row))
        if event.id in readable
    ]


def _transaction_seconds(settings: Settings, count: int = 200) -> list[float]:
    """Durations of Kafka transactions on the idle broker, over as many partitions as the relay's."""
    partitions = settings.topic_partitions + 2 * settings.state_partitions + 1
    topic = settings.topic("bench.transactions")
    admin = make_admin(settings)  # Hazard: without a reference it is closed before it answers.
    admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result()
    producer = make_producer(settings, **{"linger.ms": 0, "transactional.id": settings.topic("bench")})
    producer.init_transactions(30)
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        producer.begin_transaction()
        for partition in range(partitions):
            producer.produce(topic, b"0", partition=partition)
        producer.commit_transaction(30)
        taken.append(time.perf_counter() - began)
    return taken


def _events(connection: Connection) -> int:
    found = connection.execute("SELECT coalesce(sum(events), 0) FROM journal").fetchone()
    return int(found[0]) if found else 0


__all__ = ["capacity", "fixed_load"]
