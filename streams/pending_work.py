"""Work that waits, stage by stage, as the topics and tables show it to an outsider."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from confluent_kafka import Consumer, TopicPartition

from runtime.kafka import make_admin, make_consumer
from runtime.postgres import Connection
from runtime.settings import Settings
from runtime.stalls import Stall
from schemas.topics import COMMANDS
from sinks.backlog import first_unpublished
from sinks.consumed_offsets import PartitionProgress, partition_progress
from sinks.outbox_reader import OutboxPosition
from streams.partition_ends import PartitionEnds, committed_offsets, partition_ends, partition_numbers

_ANSWER_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class PendingWork:
    """The first piece of work that waits at one place.

    :param key: names the place; the partition, or a shard.
    :param at: how far the stage is there; another value means that it has moved.
    :param seconds: how long it has waited for sure, by the servers' clocks.
    :param mended: whether a fresh process may mend it.
    """

    stage: str
    key: str
    at: int
    place: str
    seconds: float
    cause: str
    advice: str
    mended: bool = True

    def stall(self, seconds: float) -> Stall:
        """Describe it as a stall once nothing has moved for so long."""
        reason = f"{self.cause}, and nothing has moved there for {seconds:.0f} s. {self.advice}"
        return Stall(self.stage, self.place, seconds, reason)


class BacklogProbe:
    """Looks at the commands topic and at what became of its records, with clients of its own."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic(COMMANDS)
        self._admin = make_admin(settings)
        end = {"enable.partition.eof": True}
        self._committed: Consumer = make_consumer(settings, "interactions-liveness", **end)
        self._all: Consumer = make_consumer(
            settings, "interactions-liveness", **{**end, "isolation.level": "read_uncommitted"}
        )

    def close(self) -> None:
        """Close the clients."""
        self._committed.close()
        self._all.close()

    def partitions(self) -> list[int]:
        """The partitions of the commands topic.

        :raises KafkaException: the broker does not answer.
        """
        return partition_numbers(self._admin, self._topic)

    def partition_progress(self, connection: Connection) -> Mapping[int, PartitionProgress]:
        """Where each partition is, as stored."""
        return partition_progress(connection, self._settings.consumer_group, self._topic)

    def unapplied(
        self, stored: Mapping[int, PartitionProgress], numbers: Iterable[int], now: float
    ) -> Iterator[PendingWork]:
        """Records at the watermark: committed ones, or such as an open transaction holds back.

        :param now: the database's clock, seconds since the epoch.
        :raises KafkaException: the broker does not answer.
        """
        for number, ends in partition_ends(self._admin, self._topic, list(numbers)).items():
            standing = stored.get(number, PartitionProgress())
            start = max(ends.low, standing.next_offset)
            found = self._first(self._committed, number, start) if start < ends.stable else None
            if found is not None:
                yield PendingWork(
                    "applied",
                    str(number),
                    standing.next_offset,
                    f"partition {number}, offset {found.offset}",
                    min(standing.still, now - found.at),
                    f"The command at offset {found.offset} of partition {number} is not applied",
                    "If an applier runs, its log says why; see 'A stage that stands still' in"
                    " docs/operations.md.",
                )
            elif ends.stable < ends.high:
                yield from self._held_back(number, ends, now)

    def _held_back(self, number: int, ends: PartitionEnds, now: float) -> Iterator[PendingWork]:
        first = self._first(self._all, number, ends.stable)
        if first is not None:
            yield PendingWork(
                "consumed",
                str(number),
                ends.stable,
                f"partition {number}, offset {ends.stable}",
                now - first.at,
                f"A publisher's open transaction holds back partition {number} from offset {ends.stable} on:"
                f" up to {ends.high - ends.stable} commands behind it cannot be read",
                "It ends with its transaction timeout, after 15 minutes at most unless the broker allows"
                " more, or when that publisher is started again.",
                mended=False,
            )

    def unpublished(
        self, stored: Mapping[int, PartitionProgress], numbers: Iterable[int], now: float
    ) -> Iterator[PendingWork]:
        """Applied records whose results are not out.

        :param now: the database's clock, seconds since the epoch.
        :raises KafkaException: the broker does not answer.
        """
        behind = [n for n in numbers if n in stored and stored[n].results_offset < stored[n].next_offset]
        if not behind:
            return
        committed = committed_offsets(self._admin, self._settings.consumer_group, self._topic)
        for number in behind:
            standing = stored[number]
            published = max(standing.results_offset, committed.get(number, 0))
            if published >= standing.next_offset:
                continue
            found = self._first(self._committed, number, published)
            if found is not None and found.offset < standing.next_offset:
                yield PendingWork(
                    "results",
                    str(number),
                    published,
                    f"partition {number}, offset {found.offset}",
                    now - found.at,
                    f"The command at offset {found.offset} of partition {number} is applied, but its result"
                    " is not published",
                    "Its change is safe; whoever waits for the result does not get it. The log of the applier"
                    " says what the broker refuses.",
                )

    def _first(self, consumer: Consumer, number: int, offset: int) -> _Found | None:
        """The first record at or beyond an offset; markers of transactions are none.

        :raises KafkaException: the broker does not answer.
        """
        consumer.assign([TopicPartition(self._topic, number, offset)])
        try:
            message = consumer.poll(_ANSWER_SECONDS)
        finally:
            consumer.unassign()
        if message is None or message.error() is not None:
            return None
        return _Found(int(message.offset() or 0), message.timestamp()[1] / 1000)


@dataclass(frozen=True, slots=True)
class _Found:
    """A record's offset and append time (seconds since the epoch, the broker's clock)."""

    offset: int
    at: float


def unpublished_events(connection: Connection, at: OutboxPosition) -> Iterator[PendingWork]:
    """The first row of the outbox that is not published as an event.

    :param at: how far a relay is.
    """
    row = first_unpublished(connection, at)
    if row is None:
        return
    if row.blocked_by is None:
        cause = f"Events wait in the outbox from position {row.position} on"
        advice = "If a relay runs, its log says why; see 'A stage that stands still' in docs/operations.md."
    else:
        cause = (
            f"Events wait in the outbox from position {row.position} on for the end of a database"
            f" transaction: {row.blocked_by}"
        )
        advice = "End that transaction: events are published in the order of transactions."
    yield PendingWork(
        "events",
        "outbox",
        hash((at.floor, at.ceiling or 0, at.position)),
        f"outbox position {row.position}",
        row.seconds,
        cause,
        advice,
        mended=row.blocked_by is None,
    )
