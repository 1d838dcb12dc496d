"""Start offset of a newly assigned partition, or the reason why it must not be read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from runtime.backoff import Backoff
from runtime.kafka import make_admin
from runtime.outages import describe, through_outages
from runtime.settings import Settings
from schemas.errors import Stop
from schemas.topics import COMMANDS
from sinks.consumed_offsets import StoredOffsets, begin_partitions, read_stored_offsets
from streams.heartbeat import Heartbeat
from streams.partition_ends import PartitionEnds, partition_ends, topic_id

_log = structlog.get_logger("applier")
#: Timeout of one request; the reader beats between two.
_REQUEST_SECONDS: Final = 10.0
#: Longer than any pause between two tries.
_EXCUSED_SECONDS: Final = 10.0
_RETRIES: Final = Backoff(ceiling=2.0)
#: Errors that pass: for partitions that were just added, and for offsets in an open transaction.
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
    """Start of one partition.

    :param offset: the first record to read.
    :param published: every record below it has its result published.
    :param applied: every record below it is applied.
    :param waiting: the partition goes on behind ``offset``.
    :param ahead: the published offset as stored, when it is above the watermark; it counts no further.
    """

    offset: int
    published: int
    applied: int = field(default=0, compare=False)
    waiting: bool = field(default=False, compare=False)
    ahead: int | None = field(default=None, compare=False)


def start_offset(
    partition: int,
    ends: PartitionEnds,
    stored: StoredOffsets | None,
    committed: int | None,
    topic: str | None = None,
) -> Start:
    """Decide from the partition's ends, the database's watermark and the group's committed offset.

    Results are published up to the larger of the group's offset and the database's: the group's may have
    been reset or have expired, the database's is stored later. Neither counts beyond the watermark.

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
    start = max(min(published, applied), ends.low)
    return Start(
        start,
        min(published, applied),
        applied,
        waiting=ends.high > start,
        ahead=published if published > applied else None,
    )


class StartOffsets:
    """Looks up start offsets; retries while a server is unavailable.

    :param heartbeat: of the reader; excused while a server is unavailable.
    :param prepare: called before the first record is read; raises ``Retry`` to be called again.
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
        """Find the start of each partition.

        :raises AskedToStopError: the process was asked to stop before a server answered.
        :raises Stop: see :func:`start_offset`.
        :raises KafkaException: the broker refuses for good.
        """
        numbers = [part.partition for part in partitions]
        admin = make_admin(self._settings)
        self._answered("monthly tables", self._prepare)
        topic = self._answered("topic", lambda: topic_id(admin, self._topic))
        stored = self._answered("positions", lambda: read_stored_offsets(self._settings, numbers))
        committed = self._answered("offsets", lambda: _committed(consumer, partitions))
        ends = self._answered("ends", lambda: partition_ends(admin, self._topic, numbers))
        starts = {
            number: start_offset(number, ends[number], stored.get(number), committed.get(number), topic)
            for number in numbers
        }
        for number, start in starts.items():
            if start.ahead is not None:
                _log.error(
                    "applier.offsets_ahead_of_database",
                    partition=number,
                    committed=start.ahead,
                    watermark=start.applied,
                )
        self._answered("positions", lambda: begin_partitions(self._settings, numbers, topic))
        return starts

    def _answered(self, what: str, request: Callable[[], Found]) -> Found:
        """Repeat a request until it is answered.

        Hazard: this runs in a rebalance. An unavailable server, a partition that was added a moment ago or
        an open transaction that holds the group's offsets must not end the process: each of its successors
        would end the same way.
        """

        def note(error: Exception, _seconds: float) -> None:
            if isinstance(error, KafkaException) and not _passes(error.args[0]):
                raise error
            _log.warning("applier.retry", waits_for=what, reason=describe(error))
            self._heartbeat.excuse("reader", _REQUEST_SECONDS + _EXCUSED_SECONDS)

        def attempt() -> Found:
            self._heartbeat.beat("reader")
            return request()

        return through_outages(attempt, note, self._stop.wait, _RETRIES)


def _passes(error: KafkaError) -> bool:
    return error.retriable() or error.code() in _PASSES


def _committed(consumer: Consumer, partitions: Sequence[TopicPartition]) -> dict[int, int]:
    """Committed offsets of the group; partitions that were never committed are missing.

    :raises KafkaException: the broker refuses, or an open transaction holds some of them.
    """
    found = consumer.committed(list(partitions), timeout=_REQUEST_SECONDS)
    for part in found:
        # Hazard: an error comes with the same number as "never committed".
        if part.error is not None:
            raise KafkaException(part.error)
    return {part.partition: part.offset for part in found if part.offset >= 0}
