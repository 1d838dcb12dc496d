"""Where an applier starts to read a partition that it was given, or why it must not."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from runtime.backoff import Backoff
from runtime.kafka import make_admin
from runtime.settings import Settings
from schemas.errors import Retry, Stop
from schemas.topics import COMMANDS
from sinks.positions import Progress, begin_partitions, read_progress
from streams.heartbeat import Heartbeat
from streams.partition_ends import PartitionEnds, partition_ends, topic_id

_log = structlog.get_logger("applier")
#: Longest time of one request; the reader shows between two that it lives.
_REQUEST_SECONDS: Final = 10.0
#: Longer than any pause between two tries.
_EXCUSED_SECONDS: Final = 10.0
#: What the broker answers about partitions that were just added, or about offsets in an open transaction.
_PASSES: Final = frozenset(
    {
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - a public constant
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._TIMED_OUT,  # noqa: SLF001
        KafkaError._TRANSPORT,  # noqa: SLF001
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001
        KafkaError._NOENT,  # noqa: SLF001 - no leader is known, as while the broker starts
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
    }
)
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Start:
    """Where to begin in one partition.

    :param offset: the first record to read.
    :param published: every record below it has its result published.
    :param applied: every record below it is applied.
    :param waiting: something lies behind ``offset``.
    """

    offset: int
    published: int
    applied: int = field(default=0, compare=False)
    waiting: bool = field(default=False, compare=False)


def start_of(
    partition: int,
    ends: PartitionEnds,
    stored: Progress | None,
    committed: int | None,
    topic: str | None = None,
) -> Start:
    """Decide from what the topic holds, what the database has applied, and what the group has committed.

    Results are published up to the larger one of the group's offset and the database's: the group's may
    have been reset or have expired, the database's is noted later. Neither counts beyond the watermark.

    :param topic: the topic's id on the broker, if it has one.
    :raises Stop: the log is not the one that was applied from, or records were deleted before they were
        applied.
    """
    applied = stored.next_offset if stored else 0
    if stored is not None and topic is not None and stored.topic_id not in (None, topic):
        raise Stop(
            f"the commands topic was deleted and created again: its id is {topic}, but offsets up to"
            f" {applied} of partition {partition} were applied from the topic with the id {stored.topic_id}."
            " New commands would be taken for old ones, so nothing is read until this is resolved; see"
            " 'When the commands topic was recreated' in docs/operations.md"
        )
    if applied > ends.high:
        raise Stop(
            f"partition {partition} ends at offset {ends.high}, but the database has applied up to"
            f" {applied}: the topic was recreated or the broker restored. Nothing is read until"
            " this is resolved; see docs/operations.md"
        )
    if ends.low > applied:
        raise Stop(
            f"partition {partition}: offsets {applied} to {ends.low - 1} were deleted by retention before"
            " they were applied; their commands are lost. See docs/operations.md"
        )
    published = max(committed or 0, stored.results_offset if stored else 0)
    if published > applied:
        _log.error(
            "applier.offsets_ahead_of_database", partition=partition, committed=published, watermark=applied
        )
    published = min(published, applied)
    start = max(published, ends.low)
    return Start(start, published, applied, waiting=ends.high > start)


class StartOffsets:
    """Looks up where to start, and waits for servers that do not answer yet.

    :param heartbeat: shown that the reader lives, and excused while a server is waited for.
    :param prepare: what must be done before the first record is read; raises ``Retry`` to be called again.
    """

    def __init__(
        self, settings: Settings, heartbeat: Heartbeat, stop: threading.Event, prepare: Callable[[], None]
    ) -> None:
        self._settings = settings
        self._topic = settings.topic(COMMANDS)
        self._heartbeat = heartbeat
        self._stop = stop
        self._prepare = prepare

    def find(self, consumer: Consumer, partitions: Sequence[TopicPartition]) -> dict[int, Start]:
        """The start of each partition.

        :raises Retry: told to stop before a server answered.
        :raises Stop: see :func:`start_of`.
        :raises KafkaException: the broker refuses for good.
        """
        numbers = [part.partition for part in partitions]
        admin = make_admin(self._settings)
        self._answered("monthly tables", self._prepare)
        topic = self._answered("topic", lambda: topic_id(admin, self._topic))
        stored = self._answered("positions", lambda: read_progress(self._settings, numbers))
        committed = self._answered("offsets", lambda: _committed(consumer, partitions))
        ends = self._answered("ends", lambda: partition_ends(admin, self._topic, numbers))
        starts = {
            number: start_of(number, ends[number], stored.get(number), committed.get(number), topic)
            for number in numbers
        }
        self._answered("positions", lambda: begin_partitions(self._settings, numbers, topic))
        return starts

    def _answered(self, what: str, request: Callable[[], Found]) -> Found:
        """Repeat a request until it is answered.

        Hazard: this runs in a rebalance. A server that is away, a partition that was added a moment ago
        and an open transaction that holds the group's offsets are waited for: an owner that ended
        instead would end again, and so would each of its successors.
        """
        delays = Backoff(ceiling=2.0).delays()
        while True:
            self._heartbeat.beat("reader")
            try:
                return request()
            except Retry as refusal:
                reason = str(refusal)
            except KafkaException as failure:
                error = failure.args[0]
                if not error.retriable() and error.code() not in _PASSES:
                    raise
                reason = f"{error.name()}: {error.str()}"
            _log.warning("applier.retry", waits_for=what, reason=reason)
            self._heartbeat.excuse("reader", _REQUEST_SECONDS + _EXCUSED_SECONDS)
            if self._stop.wait(next(delays)):
                raise Retry(f"told to stop while the {what} could not be read: {reason}")


def _committed(consumer: Consumer, partitions: Sequence[TopicPartition]) -> dict[int, int]:
    """The group's offsets; those never committed are missing.

    :raises KafkaException: the broker refuses, or an open transaction holds some of them.
    """
    found = consumer.committed(list(partitions), timeout=_REQUEST_SECONDS)
    for part in found:
        # Hazard: beside an error stands the same number as for "never committed".
        if part.error is not None:
            raise KafkaException(part.error)
    return {part.partition: part.offset for part in found if part.offset >= 0}
