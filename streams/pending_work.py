"""Probe for pending work, stage by stage, as topics and tables show it from outside."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from runtime.health import Stall
from runtime.kafka import make_admin
from runtime.postgres import Connection
from runtime.settings import Settings
from runtime.topic_tail import TopicTail
from schemas.topics import COMMANDS
from sinks.backlog import first_unpublished
from sinks.consumed_offsets import PartitionProgress, partition_progress
from sinks.due import server_time
from sinks.journal_reader import JournalPosition
from streams.partition_ends import PartitionEnds, committed_offsets, partition_ends, partition_numbers


@dataclass(frozen=True, slots=True)
class PendingWork:
    """First pending piece of work of a stage, in one partition.

    :param key: the partition number, or ``journal``.
    :param position: position of the stage there; any other value means progress.
    :param place: partition and offset, in words.
    :param seconds: lower bound of the waiting time, by the servers' clocks.
    :param cause: clause that names what waits.
    :param advice: sentence that says what to do.
    :param restart_helps: whether a new process may get past it.
    """

    stage: str
    key: str
    position: Hashable
    place: str
    seconds: float
    cause: str
    advice: str
    restart_helps: bool = True

    def stall(self, seconds: float) -> Stall:
        """Describe it as a stall that has lasted this long."""
        reason = f"{self.cause}, and nothing has moved there for {seconds:.0f} s. {self.advice}"
        return Stall(self.stage, self.place, seconds, reason)


class BacklogProbe:
    """Compares the commands topic with the stored offsets, with its own Kafka clients."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._topic = settings.topic(COMMANDS)
        self._admin = make_admin(settings)
        self._committed = TopicTail(settings, COMMANDS)
        self._all = TopicTail(settings, COMMANDS, committed=False)

    def close(self) -> None:
        """Close the clients."""
        self._committed.close()
        self._all.close()

    def partitions(self) -> list[int]:
        """Return the partition numbers of the commands topic.

        :raises KafkaException: the broker does not answer.
        """
        return partition_numbers(self._admin, self._topic)

    def partition_progress(self, connection: Connection) -> Mapping[int, PartitionProgress]:
        """Return the stored progress of each partition."""
        return partition_progress(connection, self._settings.consumer_group, self._topic)

    def unapplied(
        self, stored: Mapping[int, PartitionProgress], numbers: Iterable[int], now: float
    ) -> Iterator[PendingWork]:
        """Find the first unapplied record per partition: committed, or held back by an open transaction.

        :param now: the database's clock, seconds since the epoch.
        :raises KafkaException: the broker does not answer.
        """
        for number, ends in partition_ends(self._admin, self._topic, list(numbers)).items():
            progress = stored.get(number, PartitionProgress())
            start = max(ends.low, progress.next_offset)
            found = self._committed.first(number, start) if start < ends.stable else None
            if found is not None:
                yield PendingWork(
                    "applied",
                    str(number),
                    progress.next_offset,
                    f"partition {number}, offset {found.offset}",
                    min(progress.idle_seconds, now - found.timestamp_ms / 1000),
                    f"The command at offset {found.offset} of partition {number} is not applied",
                    "If an applier runs, its log says why; see 'A stage that stands still' in"
                    " docs/operations.md.",
                )
            elif ends.stable < ends.high:
                yield from self._held_back(number, ends, now)

    def is_behind(self, connection: Connection, seconds: float) -> bool:
        """Return whether a command has waited for so long and is not applied.

        :raises KafkaException: the broker does not answer.
        """
        stored, now = self.partition_progress(connection), server_time(connection).timestamp()
        for number, ends in partition_ends(self._admin, self._topic, self.partitions()).items():
            start = max(ends.low, stored.get(number, PartitionProgress()).next_offset)
            found = self._committed.first(number, start) if start < ends.stable else None
            if found is not None and now - found.timestamp_ms / 1000 >= seconds:
                return True
        return False

    def _held_back(self, number: int, ends: PartitionEnds, now: float) -> Iterator[PendingWork]:
        first = self._all.first(number, ends.stable)
        if first is not None:
            yield PendingWork(
                "consumed",
                str(number),
                ends.stable,
                f"partition {number}, offset {ends.stable}",
                now - first.timestamp_ms / 1000,
                f"A publisher's open transaction holds back partition {number} from offset {ends.stable} on:"
                f" up to {ends.high - ends.stable} commands behind it cannot be read",
                "It ends when that publisher is started again, or with its transaction timeout: after at most"
                " 15 minutes, unless the broker allows more.",
                restart_helps=False,
            )

    def unpublished(
        self, stored: Mapping[int, PartitionProgress], numbers: Iterable[int], now: float
    ) -> Iterator[PendingWork]:
        """Find the first applied record per partition whose result is not published.

        :param now: the database's clock, seconds since the epoch.
        :raises KafkaException: the broker does not answer.
        """
        behind = [n for n in numbers if n in stored and stored[n].results_offset < stored[n].next_offset]
        if not behind:
            return
        committed = committed_offsets(self._admin, self._settings.consumer_group, self._topic)
        for number in behind:
            progress = stored[number]
            published = max(progress.results_offset, committed.get(number, 0))
            if published >= progress.next_offset:
                continue
            found = self._committed.first(number, published)
            if found is not None and found.offset < progress.next_offset:
                yield PendingWork(
                    "results",
                    str(number),
                    published,
                    f"partition {number}, offset {found.offset}",
                    now - found.timestamp_ms / 1000,
                    f"The command at offset {found.offset} of partition {number} is applied, but its result"
                    " is not published",
                    "Its change is safe, but callers that wait for the result do not receive it. The"
                    " applier's log says what the broker refuses.",
                )


def unpublished_events(connection: Connection, position: JournalPosition) -> Iterator[PendingWork]:
    """Find the first journal row that is not published as an event.

    :param position: the relay's position.
    """
    row = first_unpublished(connection, position)
    if row is None:
        return
    if row.blocked_by is None:
        cause = f"Events wait in the journal from position {row.position} on"
        advice = "If a relay runs, its log says why; see 'A stage that stands still' in docs/operations.md."
    else:
        cause = (
            f"Events wait in the journal from position {row.position} on for the end of a database"
            f" transaction: {row.blocked_by}"
        )
        advice = "End that transaction: events are published in the order of transactions."
    yield PendingWork(
        "events",
        "journal",
        position,
        f"journal position {row.position}",
        row.seconds,
        cause,
        advice,
        restart_helps=row.blocked_by is None,
    )
