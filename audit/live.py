"""A running deployment as a history: fix the cut, and read up to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Final, TypeVar

from audit.avro_values import AvroValues
from audit.history import Cut, History, Record, Row
from audit.kafka_reader import KafkaReader
from audit.postgres_reader import TABLES, PostgresReader
from audit.servers_reachable import servers_reachable
from runtime.registry import make_registry
from runtime.settings import Settings
from schemas.topics import COMMANDS, DEAD_LETTERS, EVENTS, RESULTS, STATE_TOPICS

Item = TypeVar("Item", Record, Row)
#: Progress hook: ``(name, items, total) -> items``.
Track = Callable[[str, Iterable[Item], int], Iterable[Item]]
#: Longest time from the deadline of a resolution until the command that ends it is applied.
_ANSWER_SECONDS: Final = 5 * 60
_OUTPUTS: Final = (RESULTS, EVENTS, DEAD_LETTERS, *STATE_TOPICS)


@contextmanager
def live_history(settings: Settings, track: Track[Record] | None = None) -> Iterator[History]:
    """Open a deployment for one audit; writes nothing and joins no consumer group.

    The order of the cuts makes the audit sound while the pipeline runs: first the committed offsets and
    the relay's position, then the ends of the output topics, then the tables' snapshot, last the end of
    the commands. Everything that is promised is therefore found, and everything found has its cause.

    :raises Stop: a server is unavailable.
    """
    with servers_reachable(), closing(KafkaReader(settings)) as kafka:
        cut = Cut(group=settings.consumer_group, commands=settings.topic(COMMANDS))
        cut.committed = kafka.committed()
        positions = kafka.relay_positions()
        cut.relay = positions.get("0")
        # An earlier version published states with the events.
        cut.states = positions.get("states", cut.relay)
        cut.stored = "stored" in positions
        cut.resolution_seconds = settings.resolution_deadline_seconds + _ANSWER_SECONDS
        for topic in _OUTPUTS:
            cut.begin[topic], cut.end[topic] = kafka.bounds(topic)
        with closing(PostgresReader(settings)) as postgres:
            cut.now = postgres.now()
            cut.begin[COMMANDS], cut.end[COMMANDS] = kafka.bounds(COMMANDS)
            values = AvroValues(make_registry(settings))
            yield History(
                cut=cut,
                topics={
                    topic: partial(_records, kafka, cut, topic, track) for topic in (COMMANDS, *_OUTPUTS)
                },
                tables={table: partial(postgres.rows, table) for table in TABLES},
                decode=values.decode,
                decode_named=values.decode_named,
            )


def _records(kafka: KafkaReader, cut: Cut, topic: str, track: Track[Record] | None) -> Iterable[Record]:
    begin, end = cut.begin[topic], cut.end[topic]
    records = kafka.records(topic, begin, end)
    if track is None:
        return records
    total = sum(max(0, stop - begin.get(partition, 0)) for partition, stop in end.items())
    return track(topic, records, total)
