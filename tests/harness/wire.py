"""Publish commands as publishers do, and read topics as consumers do."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from runtime.kafka import make_consumer, make_producer
from runtime.registry_fetch import make_fetch
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.topics import COMMANDS, RESULTS
from tests.harness.roles import wait_until

TENANT = "11111111-1111-4111-8111-111111111111"
ORGANIZATION = "22222222-2222-4222-8222-222222222222"


def new_id() -> str:
    return str(uuid.uuid4())


def event(
    kind: str,
    entity_id: str,
    data: dict[str, Any],
    *,
    command_id: str | None = None,
    tenant: str = TENANT,
    organization: str = ORGANIZATION,
    **attributes: Any,
) -> dict[str, Any]:
    """Build a structured CloudEvent; ``kind`` is the type without ``customers.``."""
    return {
        "specversion": "1.0",
        "id": command_id or new_id(),
        "type": f"customers.{kind}",
        "source": "/tests",
        "tenantid": tenant,
        "organizationid": organization,
        "entityid": entity_id,
        **attributes,
        "data": data,
    }


@dataclass(frozen=True)
class Raw:
    """A record to publish unchanged."""

    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int = -1


@dataclass(frozen=True)
class Received:
    """A record as read by a ``read_committed`` consumer."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]


def publish(settings: Settings, messages: Iterable[dict[str, Any] | Raw]) -> list[tuple[int, int]]:
    """Send messages in order and wait for acknowledgement; returns (partition, offset) of each."""
    producer = make_producer(settings)
    places: dict[int, tuple[int, int]] = {}
    failures: list[KafkaError] = []

    def delivered(number: int, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            failures.append(error)
        else:
            places[number] = (message.partition(), message.offset())

    for number, message in enumerate(messages):
        raw = (
            message if isinstance(message, Raw) else Raw(message["entityid"].encode(), orjson.dumps(message))
        )
        options: dict[str, Any] = {} if raw.partition < 0 else {"partition": raw.partition}
        while True:
            try:
                producer.produce(
                    settings.topic(COMMANDS),
                    key=raw.key,
                    value=raw.value,
                    headers=list(raw.headers),
                    on_delivery=functools.partial(delivered, number),
                    **options,
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    producer.flush(60)
    assert not failures, failures[0]
    return [places[number] for number in range(len(places))]


def read_topic(settings: Settings, topic: str) -> list[Received]:
    """Read all records of a topic that a ``read_committed`` consumer sees now, partition by partition."""
    with Tail(settings, topic) as tail:
        return sorted(tail.read(), key=lambda record: record.partition)


class Tail:
    """One ``read_committed`` consumer over a topic; each read continues where the last one ended."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._consumer = make_consumer(settings, f"reader-{new_id()}", **{"enable.partition.eof": True})
        self._name = settings.topic(topic)
        partitions = list(self._consumer.list_topics(self._name, timeout=10).topics[self._name].partitions)
        self._positions = dict.fromkeys(partitions, 0)
        self._assign()

    def __enter__(self) -> Tail:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close()

    def read(self) -> list[Received]:
        """Read from where the last read ended to the present end of every partition."""
        received: list[Received] = []
        ended: set[int] = set()
        while len(ended) < len(self._positions):
            for message in self._consumer.consume(1000, 0.05):
                error = message.error()
                number = cast("int", message.partition())
                if error is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    ended.add(number)
                    continue
                received.append(_received(message))
                self._positions[number] = received[-1].offset + 1
        # The client reports an end once; after another assignment it reports each again.
        self._assign()
        return received

    def _assign(self) -> None:
        self._consumer.assign(
            [TopicPartition(self._name, number, offset) for number, offset in self._positions.items()]
        )


def _received(message: Message) -> Received:
    raw = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return Received(
        cast("int", message.partition()),
        cast("int", message.offset()),
        message.key(),
        message.value(),
        {name: (value or b"").decode(errors="replace") for name, value in raw},
    )


def results_by_place(settings: Settings) -> dict[tuple[int, int], list[Received]]:
    """All results, by partition and offset of their commands."""
    found: dict[tuple[int, int], list[Received]] = {}
    _add_by_place(found, read_topic(settings, RESULTS))
    return found


def _add_by_place(found: dict[tuple[int, int], list[Received]], results: Iterable[Received]) -> None:
    for record in results:
        place = int(record.headers["ce_commandpartition"]), int(record.headers["ce_commandoffset"])
        found.setdefault(place, []).append(record)


def wait_for_results(
    settings: Settings, places: Sequence[tuple[int, int]], seconds: float = 60.0
) -> list[Received]:
    """Wait for the one result of each command; fail when one is missing in time or comes twice."""
    found: dict[tuple[int, int], list[Received]] = {}

    def missing() -> set[tuple[int, int]]:
        return set(places) - found.keys()

    def complete() -> bool:
        _add_by_place(found, tail.read())
        return not missing()

    with Tail(settings, RESULTS) as tail:
        wait_until(complete, seconds, lambda: f"results for {sorted(missing())[:5]}…")
    doubled = [place for place in places if len(found[place]) != 1]
    assert not doubled, f"more than one result for {doubled[:5]}"
    return [found[place][0] for place in places]


def outcomes(settings: Settings, messages: Sequence[dict[str, Any] | Raw]) -> list[dict[str, Any]]:
    """Publish and wait; returns the decoded result of each message."""
    decode = decoder(settings)
    records = wait_for_results(settings, publish(settings, messages))
    return [decode.decode(record.value or b"")[1] for record in records]


def decoder(settings: Settings) -> AvroDecoder:
    """Decoder of the pipeline's output, with instants as text."""
    return AvroDecoder(make_fetch(settings), text_instants=True)
