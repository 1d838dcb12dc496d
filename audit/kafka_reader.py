"""Read topics: offsets, the relay's position, and every committed record up to the cut."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from audit.history import Offsets, Record, RelayPosition
from runtime.incoming_records import headers_of
from runtime.kafka import make_admin, make_consumer, take_batch
from runtime.settings import Settings
from schemas.errors import Stop
from schemas.topics import COMMANDS, RELAY_POSITION

_TIMEOUT: Final = 10.0
#: Longer than a killed producer's open transaction can hide the records behind it (read_committed).
_IDLE_TIMEOUT: Final = 90.0
_BATCH: Final = 5_000


class KafkaReader:
    """Reader of one deployment's topics; joins no consumer group.

    :raises Stop: Kafka is unavailable, or a topic is missing.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer = make_consumer(
            settings, "interactions-audit", **{"enable.partition.eof": True, "fetch.wait.max.ms": 20}
        )
        self._admin = make_admin(settings)

    def close(self) -> None:
        """Close the connections."""
        self._consumer.close()

    def partitions(self, topic: str) -> list[int]:
        """Partition numbers of a topic, by catalog name."""
        name = self._settings.topic(topic)
        try:
            found = self._admin.list_topics(name, _TIMEOUT).topics[name]
        except KafkaException as error:
            raise Stop(f"cannot read the metadata of topic {name}: {error.args[0].str()}") from error
        if found.error is not None or not found.partitions:
            raise Stop(f"topic {name} does not exist; create it with `interactions topics`")
        return sorted(found.partitions)

    def bounds(self, topic: str) -> tuple[Offsets, Offsets]:
        """First retained offset and log end offset per partition, open transactions included."""
        begin, end = Offsets(), Offsets()
        for partition in self.partitions(topic):
            place = TopicPartition(self._settings.topic(topic), partition)
            try:
                begin[partition], end[partition] = self._consumer.get_watermark_offsets(place, _TIMEOUT)
            except KafkaException as error:
                raise Stop(
                    f"cannot read the offsets of topic {place.topic}: {error.args[0].str()}"
                ) from error
        return begin, end

    def committed(self) -> Offsets:
        """Committed offsets of the applier's group on the commands topic."""
        topic = self._settings.topic(COMMANDS)
        wanted = [TopicPartition(topic, partition) for partition in self.partitions(COMMANDS)]
        consumer = make_consumer(self._settings, self._settings.consumer_group)
        try:
            found = consumer.committed(wanted, _TIMEOUT)
        except KafkaException as error:
            raise Stop(f"cannot read the consumer group's offsets: {error.args[0].str()}") from error
        finally:
            consumer.close()
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def relay_positions(self) -> dict[str, RelayPosition]:
        """Last positions published by the relay, by key: ``0`` for events, ``states`` for states."""
        begin, end = self.bounds(RELAY_POSITION)
        found = {}
        for record in self.records(RELAY_POSITION, begin, end):
            if record.value is not None:
                value = orjson.loads(record.value)
                position = RelayPosition(value["xidFloor"], value["xidCeiling"], value["position"])
                found[(record.key or b"").decode()] = position
        return found

    def records(self, topic: str, begin: Offsets, end: Offsets) -> Iterator[Record]:
        """Read every committed record in ``[begin, end)``, each partition in offset order.

        :raises Stop: nothing arrived for 90 s although the end is not reached.
        """
        open_ends = {p: stop for p, stop in end.items() if stop > begin.get(p, 0)}
        name = self._settings.topic(topic)
        places = [TopicPartition(name, partition, begin.get(partition, 0)) for partition in open_ends]
        if not places:
            return
        self._consumer.assign(places)
        deadline = time.monotonic() + _IDLE_TIMEOUT
        try:
            while open_ends:
                messages = take_batch(self._consumer, _BATCH, 0.5)
                if messages:
                    deadline = time.monotonic() + _IDLE_TIMEOUT
                elif time.monotonic() > deadline:
                    raise Stop(
                        f"cannot read topic {name} to its end: no record arrived for {_IDLE_TIMEOUT:.0f} s"
                    )
                for message in messages:
                    record = self._take(message, topic, open_ends)
                    if record is not None:
                        yield record
        finally:
            self._consumer.unassign()

    def _take(self, message: Message, topic: str, open_ends: Offsets) -> Record | None:
        partition, offset = message.partition(), message.offset()
        error = message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - no public name
                raise Stop(f"cannot read topic {topic}: {error.str()}")
            if offset is not None and partition is not None and offset >= open_ends.get(partition, 0):
                open_ends.pop(partition, None)
            return None
        assert partition is not None
        assert offset is not None
        stop = open_ends.get(partition)
        if stop is None or offset >= stop:
            open_ends.pop(partition, None)
            return None
        if offset == stop - 1:
            del open_ends[partition]
        headers = headers_of(message)
        return Record(
            topic,
            partition,
            offset,
            message.timestamp()[1],
            message.key(),
            message.value(),
            tuple(headers or ()),
            headers is not None,
        )


def first_record(reader: KafkaReader, topic: str, begin: Offsets, end: Offsets) -> Record | None:
    """First committed record within the bounds; ``None`` if there are only transaction markers."""
    records = reader.records(topic, begin, end)
    try:
        return next(records, None)
    finally:
        records.close()  # type: ignore[attr-defined]
