# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of the relay."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from typing import Any

from schemas.outgoing_record import OutgoingRecord
from schemas.topics import EVENTS, RELAY_POSITION
from tests.faults.mutants.catalogue import RELAY_KILLED, RELAY_RESTARTED, mutant


@mutant("rows of running transactions are skipped (no xmin)")
def xmin_filter_dropped() -> None:
    from runtime import crash_points
    from streams.relay import relay

    def newest(connection: Any) -> int:
        row = connection.execute("SELECT (pg_snapshot_xmax(pg_current_snapshot())::text)::bigint").fetchone()
        return int(row[0])

    relay.snapshot_xmin = newest

    def slowly(name: str) -> None:
        # Not a bug: slow commits, so that the relay reads while a transaction is open.
        if name == "before-commit":
            time.sleep(random.random() * 0.3)

    crash_points.reach = slowly


@mutant("the journal is read in the order of transactions, not of positions")
def order_by_transaction() -> None:
    from sinks import journal_reader

    wrong = journal_reader._ROWS_SQL.replace("ORDER BY j.position", "ORDER BY j.xid, j.fingerprint")
    assert wrong != journal_reader._ROWS_SQL
    journal_reader._ROWS_SQL = wrong


@mutant("the next step of a completion has no event")
def step_without_event() -> None:
    from streams.relay import isolation

    real = isolation.events_of

    def without_step(entry: Any) -> Any:
        step = entry.facts.step
        return tuple(event for event in real(entry) if step is None or event.subject != step.row.id)

    isolation.events_of = without_step


@mutant("the position is committed before the events it covers", RELAY_KILLED)
def position_before_delivery() -> None:
    from runtime import crash_points
    from streams.relay.publisher import RelayPublisher

    real, reach = RelayPublisher.publish, crash_points.reach

    def publish(self: RelayPublisher, records: Any, shard: str, checkpoint: Any) -> None:
        crash_points.reach = lambda _: None  # the crash is to come between the two
        real(self, (), shard, checkpoint)
        crash_points.reach = reach
        real(self, records, shard, checkpoint)

    RelayPublisher.publish = publish


def _records(change: Any) -> None:
    from streams.relay import isolation

    real = isolation.event_records
    isolation.event_records = lambda *arguments: change(list(real(*arguments)))


@mutant("the position is never stored", RELAY_RESTARTED)
def position_never_stored() -> None:
    from streams.relay.publisher import RelayPublisher

    real = RelayPublisher._produce

    def produce(self: RelayPublisher, producer: Any, record: OutgoingRecord) -> None:
        if record.topic != RELAY_POSITION:
            real(self, producer, record)

    RelayPublisher._produce = produce


@mutant("no tombstone for deleted interactions")
def tombstone_skipped() -> None:
    from streams.relay.states import PendingStates

    real = PendingStates.builders
    PendingStates.builders = lambda self, encode, rows: (
        build for build in real(self, encode, rows) if build().value is not None
    )


@mutant("events are keyed by interaction, not by customer")
def event_under_another_key() -> None:
    def change(records: Any) -> Any:
        first = records[0]
        if first.topic != EVENTS:
            return records
        return [replace(first, key=first.headers["ce_subject"]), *records[1:]]

    _records(change)


@mutant("a retry publishes an event again")
def event_twice() -> None:
    def change(records: Any) -> Any:
        again = random.random() < 0.02 and records[0].topic == EVENTS
        return [records[0], *records] if again else records

    _records(change)


@mutant("the first row of a window is skipped")
def first_row_left_out() -> None:
    from streams.relay import relay

    real = relay.read_window

    def read_window(*arguments: Any, **options: Any) -> Any:
        for number, chunk in enumerate(real(*arguments, **options)):
            skipped = number == 0 and len(chunk.entries) > 1
            yield replace(chunk, entries=chunk.entries[1:]) if skipped else chunk

    relay.read_window = read_window
