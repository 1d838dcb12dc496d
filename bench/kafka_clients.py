"""Kafka clients of the bench: publish a backlog, count results, read topics."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, TopicPartition

from bench.workload import Message
from runtime.kafka import make_admin, make_consumer, make_producer
from runtime.settings import Settings
from schemas.topics import COMMANDS


def publish(settings: Settings, messages: Sequence[Message], topic: str | None = None) -> None:
    """Send messages in order and wait until all are acknowledged.

    :raises RuntimeError: some were not acknowledged.
    """
    producer = make_producer(settings, **{"queue.buffering.max.messages": 500_000})
    name = topic or settings.topic(COMMANDS)
    for number, message in enumerate(messages):
        while True:
            try:
                producer.produce(name, key=message.key, value=message.value)
                break
            except BufferError:
                producer.poll(0.05)
        if number % 1000 == 0:
            producer.poll(0)
    left = producer.flush(120)
    if left:
        raise RuntimeError(f"{left} messages were not acknowledged")


class PublishedResults:
    """Count of commands with a published result, from the group's committed offsets: they are committed in
    the transaction that publishes the results."""

    def __init__(self, settings: Settings) -> None:
        # Hazard: a pending response never arrives once its admin client is garbage-collected.
        self._admin = make_admin(settings)
        self._group = settings.consumer_group

    def count(self) -> int:
        """Sum of the committed offsets."""
        asked = [ConsumerGroupTopicPartitions(self._group)]
        try:
            answer = self._admin.list_consumer_group_offsets(asked, request_timeout=10)[self._group].result()
        except KafkaException:
            return 0  # the group is new
        return sum(part.offset for part in answer.topic_partitions or [] if part.offset > 0)


def reader(settings: Settings, topics: Sequence[str], *, from_end: bool = False) -> Consumer:
    """``read_committed`` consumer of all partitions, from the beginning or the present end."""
    consumer = make_consumer(settings, "interactions-bench-reader", **{"fetch.wait.max.ms": 10})
    places = []
    for topic in topics:
        name = settings.topic(topic)
        for number in consumer.list_topics(name, timeout=10).topics[name].partitions:
            place = TopicPartition(name, number, 0)
            if from_end:
                place.offset = consumer.get_watermark_offsets(place, timeout=10)[1]
            places.append(place)
    consumer.assign(places)
    return consumer


def count_records(consumer: Consumer, wanted: int, seconds: float) -> int:
    """Read up to ``wanted`` records; stop early when none arrives for ``seconds``. Returns the count."""
    seen = 0
    while seen < wanted:
        messages = consumer.consume(min(5000, wanted - seen), seconds)
        if not messages:
            break
        seen += sum(message.error() is None for message in messages)
    return seen
