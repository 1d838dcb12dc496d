"""Records that become void before they are applied are read once more; the watermark never passes them."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, TopicPartition

from runtime.settings import Settings
from streams.applier import consumer as reader_module
from streams.applier.batches import BatchQueue, InFlight
from streams.applier.consumer import Reader
from streams.heartbeat import Heartbeat
from streams.upkeep import Upkeep


class Message:
    """A record at an offset, or the end of the partition there."""

    def __init__(self, offset: int, *, end: bool = False, partition: int = 0) -> None:
        self._place = partition, offset
        self._end = end

    def error(self) -> KafkaError | None:
        return KafkaError(KafkaError._PARTITION_EOF) if self._end else None

    def topic(self) -> str:
        return "commands"

    def partition(self) -> int:
        return self._place[0]

    def offset(self) -> int:
        return self._place[1]


class ScriptedConsumer:
    """Returns one prepared list per call of ``consume``; a callable runs first, like a rebalance callback."""

    def __init__(self) -> None:
        self.script: list[Any] = []
        self.seeks: list[tuple[int, int]] = []

    def consume(self, _most: int, _seconds: float) -> list[Message]:
        step = self.script.pop(0) if self.script else []
        while callable(step):
            step()
            step = self.script.pop(0)
        return list(step)

    def seek(self, place: TopicPartition) -> None:
        self.seeks.append((place.partition, place.offset))

    def consumer_group_metadata(self) -> object:
        return object()

    def assignment(self) -> list[Any]:
        return []

    def poll(self, _seconds: float) -> None:
        return None

    def incremental_assign(self, _partitions: list[Any]) -> None: ...

    def incremental_unassign(self, _partitions: list[Any]) -> None: ...

    def resume(self, _partitions: list[Any]) -> None: ...


def _decoded(message: Any) -> Any:
    return SimpleNamespace(record=SimpleNamespace(partition=message.partition(), offset=message.offset()))


class Owner:
    """A reader that owns partition 0 from offset 10 on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.consumer = ScriptedConsumer()
        monkeypatch.setattr(reader_module, "make_consumer", lambda *_, **__: self.consumer)
        self.in_flight, self.batches, self.stop = InFlight(), BatchQueue(1000), threading.Event()
        self.upkeep = Upkeep(Settings(), self.in_flight, self.stop)
        monkeypatch.setattr(self.upkeep, "revoking", lambda _: None)
        self.reader = Reader(
            Settings(),
            lambda _: ("", {}),
            self.in_flight,
            self.batches,
            Heartbeat(),
            self.stop,
            self.upkeep,
        )
        self.ownership = cast("Any", self.reader._ownership)
        self.careful = cast("Any", self.reader._careful)
        self.careful._attempts = SimpleNamespace(
            begin=lambda _: {}, close=lambda: None, try_records=lambda *_: None, done=lambda *_, **__: None
        )
        self.decoding = SimpleNamespace(decode=_decoded)
        self.reader._decoding = self.decoding  # type: ignore[assignment]
        self.ownership._starts = SimpleNamespace(find=lambda *_: self.starts)
        self.start_at(10)
        self.ownership.assigned(self.consumer, [TopicPartition("commands", 0)])

    def start_at(self, offset: int) -> None:
        self.starts = {0: SimpleNamespace(offset=offset, published=offset, applied=offset, waiting=True)}

    def be_careful(self) -> None:
        self.careful._until[0] = 1000
        self.careful._sizes[0] = 2

    def turn(self) -> None:
        """One turn of the reader's loop."""
        self.reader._deliver(self.reader._poll())
        self.ownership.note_tails()

    def lose(self) -> None:
        self.ownership.lost(self.consumer, [TopicPartition("commands", 0)])

    def win(self) -> None:
        self.ownership.assigned(self.consumer, [TopicPartition("commands", 0)])

    def queued(self) -> list[int]:
        return [command.record.offset for batch in self.batches.take(0) for command in batch.commands]


RECORDS = [Message(offset) for offset in range(10, 15)]


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Owner:
    return Owner(monkeypatch)


def test_an_end_is_noted_once_the_records_before_it_are_taken(owner: Owner) -> None:
    owner.consumer.script = [RECORDS[:1], [*RECORDS[1:], Message(17, end=True)]]
    owner.turn()
    assert owner.queued() == [10, 11, 12, 13, 14]
    assert owner.upkeep.tails == {0: (15, 17)}


@pytest.mark.parametrize("failed", [True, False])
def test_an_end_behind_records_that_were_not_taken_is_not_noted(owner: Owner, *, failed: bool) -> None:
    """A stage failed, or the role was stopped, while a partition was read in small groups."""
    owner.be_careful()
    if not failed:
        owner.stop.set()
    owner.consumer.script = [RECORDS[:1], [*RECORDS[1:], Message(15, end=True)]]
    owner.in_flight.depart()
    owner.in_flight.abandon(failed=failed)
    generation = owner.in_flight.generation

    def land() -> None:
        owner.in_flight.generation = generation + 1

    owner.reader._land = land  # type: ignore[method-assign]
    owner.turn()
    assert owner.queued() == []
    assert owner.upkeep.tails == {}, "the watermark would pass records that are not applied"


def test_what_was_not_taken_is_read_once_more(owner: Owner) -> None:
    """Another partition was lost, which makes everything in flight void; this one is still owned."""
    owner.be_careful()
    owner.consumer.script = [RECORDS[:1], [*RECORDS[1:], Message(15, end=True)]]

    def land() -> None:
        owner.ownership.lost(owner.consumer, [TopicPartition("commands", 1)])

    owner.reader._land = land  # type: ignore[method-assign]
    owner.turn()
    assert owner.consumer.seeks == [(0, 10)]
    assert owner.upkeep.tails == {}


def test_a_message_from_before_a_rebalance_is_void(owner: Owner) -> None:
    owner.start_at(5)
    owner.consumer.script = [RECORDS[:1], owner.lose, owner.win, [Message(5)]]
    owner.turn()
    assert owner.queued() == [5]
    assert owner.ownership.positions[0] == 6


def test_an_end_from_before_a_rebalance_is_void(owner: Owner) -> None:
    owner.start_at(5)
    owner.consumer.script = [[Message(15, end=True)], owner.lose, owner.win, []]
    owner.turn()
    assert owner.upkeep.tails == {}


@pytest.mark.parametrize("won_back", [True, False])
def test_a_partition_that_goes_while_its_records_are_decoded(owner: Owner, *, won_back: bool) -> None:
    """Decoding waits for the schema registry, and rebalances happen in the wait."""

    def decode(message: Any) -> Any:
        if message.offset() == 12:
            owner.ownership.revoked(owner.consumer, [TopicPartition("commands", 0)])
            if won_back:
                owner.win()
        return _decoded(message)

    owner.decoding.decode = decode
    owner.consumer.script = [RECORDS[:1], [*RECORDS[1:], Message(15, end=True)]]
    owner.turn()
    assert owner.queued() == []
    assert owner.upkeep.tails == {}
    assert owner.ownership.positions == ({0: 10} if won_back else {})
