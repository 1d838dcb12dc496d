# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of consuming, of the batch transaction and of publishing results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from schemas.outgoing_record import OutgoingRecord
from schemas.topics import DEAD_LETTERS, RESULTS
from tests.faults.mutants.catalogue import (
    APPLIER_KILLED,
    APPLIER_RESTARTED,
    OFFSETS_AHEAD,
    RESULTS_KILLED,
    mutant,
)

_FENCE = "test:tests/faults/test_fence.py"


def _start_at_committed() -> None:
    from streams.applier import start_offsets

    start_offsets.min = lambda published, _applied: published


def _ignore_starts() -> None:
    from streams.applier.apply import Applier

    real = Applier.apply

    def apply(self: Applier, commands: Any, starts: Any, results: Any) -> Any:
        return real(self, commands, dict.fromkeys(starts, 0), results)

    Applier.apply = apply


@mutant("offsets are committed to Kafka before the database commit", APPLIER_KILLED)
def offset_commit_before_database_commit() -> None:
    from confluent_kafka import TopicPartition

    from streams.applier.consumer import Reader

    real = Reader._deliver

    def deliver(self: Reader, messages: Any) -> None:
        topic = self._ownership._topic
        ends = {message.partition(): message.offset() + 1 for message in messages if not message.error()}
        self.consumer.commit(
            offsets=[TopicPartition(topic, partition, end) for partition, end in ends.items()],
            asynchronous=False,
        )
        real(self, messages)

    Reader._deliver = deliver
    _start_at_committed()
    _ignore_starts()


@mutant("consumption starts at Kafka's committed offset, not at the watermark", OFFSETS_AHEAD)
def no_seek_on_assignment() -> None:
    _start_at_committed()


@mutant("the watermark is not written")
def watermark_not_written() -> None:
    from sinks import batch

    batch._ADVANCE_SQL = "SELECT %s::text, %s::text, %s::int[], %s::bigint[], %s::bigint[]"


@mutant("the watermark is written one record too far")
def watermark_too_far() -> None:
    from sinks import batch

    far = batch._ADVANCE_SQL.replace("w.partition, w.next_offset,", "w.partition, w.next_offset + 1,")
    assert far != batch._ADVANCE_SQL
    batch._ADVANCE_SQL = far


@mutant("the journal is not checked for earlier commands")
def log_lookup_dropped() -> None:
    from sinks import load

    real = load._read_journal

    def read_journal(world: Any, rows: Any) -> None:
        real(world, rows)
        world.journal.clear()

    load._read_journal = read_journal


@mutant("the partition's lock is not taken", f"{_FENCE}::test_a_second_owner_waits_for_the_partition")
def partition_lock_dropped() -> None:
    from sinks import batch

    assert "pg_advisory_xact_lock" in batch._LOCK_SQL
    batch._LOCK_SQL = "SELECT %s::int, %s::int[], %s::int"


@mutant("a batch above the watermark is accepted", f"{_FENCE}::test_a_batch_above_the_watermark_is_refused")
def start_check_dropped() -> None:
    _ignore_starts()


@mutant("the batch is folded in reverse order")
def batch_folded_backwards() -> None:
    from streams.applier import apply as applier

    real = applier.fold

    def fold(work: Any, commands: Any) -> Any:
        return list(reversed(real(work, list(reversed(commands)))))

    applier.fold = fold


@mutant("results are published before the database commit", APPLIER_RESTARTED)
def results_before_commit() -> None:
    from contextlib import contextmanager

    from sinks.batch import BatchSink

    @contextmanager
    def transaction(
        self: BatchSink, commands: Any, starts: Any, results: Any, *, careful: bool = False
    ) -> Any:
        self._connection.commit()  # of the batch before, whose results are out by now
        self._connection.execute("BEGIN")
        batch = self._fence(commands, starts, None)
        yield batch
        self._advance(batch, results)

    BatchSink.transaction = transaction


@mutant("the group's offsets are not part of the results' transaction", APPLIER_RESTARTED)
def results_without_offsets() -> None:
    from streams.transactional_producer import TransactionalProducer

    class Forgetful:
        def __init__(self, producer: Any) -> None:
            self._real = producer

        def __getattr__(self, name: str) -> Any:
            return getattr(self._real, name)

        def send_offsets_to_transaction(self, *_: Any) -> None:
            return

    real = TransactionalProducer.open
    TransactionalProducer.open = lambda self: cast("Any", Forgetful(real(self)))


@mutant("a result lost between commit and publishing is not published again", RESULTS_KILLED)
def results_not_repeated() -> None:
    from streams.applier import apply as applier

    applier._known_outcomes = lambda _batch, _commands: []


def _produce(change: Any) -> None:
    from streams.applier.publisher import Publisher

    real = Publisher._produce

    def produce(self: Publisher, producer: Any, record: OutgoingRecord, *rest: Any) -> None:
        for altered in change(record.topic, record.value):
            real(self, producer, replace(record, value=altered), *rest)

    Publisher._produce = produce


@mutant("every result is published twice")
def result_twice() -> None:
    _produce(lambda topic, value: [value, value] if topic == RESULTS else [value])


@mutant("a dead letter is not a byte-for-byte copy of its record")
def dead_letter_altered() -> None:
    _produce(lambda topic, value: [(value or b"") + b" " if topic == DEAD_LETTERS else value])


@mutant("an undecodable record leaves no dead letter")
def dead_letter_dropped() -> None:
    _produce(lambda topic, value: [] if topic == DEAD_LETTERS else [value])


@mutant("relabeling a type refreshes no customer")
def relabel_skipped() -> None:
    from sinks import store

    store.with_relabeled = lambda _connection, decision: decision.entry


@mutant("only the first event of a command is published")
def second_event_dropped() -> None:
    from streams.relay import isolation

    real = isolation.events_of
    isolation.events_of = lambda entry: real(entry)[:1]
