"""Batch transactions on a real Postgres: schema, fencing, poison, journal windows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import orjson
import psycopg
import pytest
from psycopg import sql

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.decode import decode_record
from schemas.errors import Retry, Stop
from schemas.incoming_record import IncomingRecord
from schemas.topics import DEAD_LETTERS
from sinks.batch import BatchSink
from sinks.journal_reader import JournalPosition, read_between, read_window, snapshot_xmin
from sinks.migrate import check
from sinks.monthly_partitions import ensure_partitions
from streams.applier.apply import Applier
from tests.harness.audit import assert_clean
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import decoder, event, new_id, outcomes, publish, wait_for_results

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[tuple[Any, ...]]


def test_migrations_lead_to_the_tables_in_code(fresh_database: Settings) -> None:
    assert check(fresh_database) == []


def test_partitions_are_created_once_and_ahead_of_time(fresh_database: Settings) -> None:
    with connect(fresh_database, application_name="test") as connection:
        made = ensure_partitions(connection, date(2031, 12, 31))
        assert made == [f"journal_y{month}" for month in ("2031m11", "2031m12", "2032m01", "2032m02")]
        assert ensure_partitions(connection, date(2031, 12, 31)) == []
    assert check(fresh_database) == []


def test_an_applier_alone_creates_the_partitions_of_a_new_month(fresh_settings: Settings) -> None:
    """A month boundary passed while no timers ran: this month's partitions are missing."""
    with connect(fresh_settings, application_name="test") as connection:
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'journal'::regclass"
            ).fetchall()
        ]
        for name in tables:
            connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(name)))
    entity = new_id()
    person = event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})
    with running(fresh_settings, "applier"):
        (result,) = outcomes(fresh_settings, [person])
    assert result["outcome"] == "applied"
    with connect(fresh_settings, application_name="test") as connection:
        assert ensure_partitions(connection) == []
    assert check(fresh_settings) == []


class Log:
    """One partition of commands, applied without Kafka."""

    def __init__(self, connection: Connection) -> None:
        self.transaction = Applier(BatchSink(connection, consumer_group="test", topic="commands"))
        self.records: list[IncomingRecord] = []

    def append(self, message: dict[str, Any]) -> int:
        record = IncomingRecord(
            topic="commands",
            partition=0,
            offset=len(self.records),
            timestamp_ms=int(time.time() * 1000),
            key=message["entityid"].encode(),
            value=orjson.dumps(message),
            headers=(),
        )
        self.records.append(record)
        return record.offset

    def apply(self, first: int, end: int, start: int | None = None) -> list[str]:
        commands = [decode_record(record, no_avro) for record in self.records[first:end]]
        decisions = self.transaction.apply(commands, {0: first if start is None else start}, {})
        return [decision.outcome for decision in decisions]


def no_avro(_: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("no Avro here")


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test") as opened:
        yield opened


def _count(connection: Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    connection.commit()
    assert row is not None
    return int(row[0])


def test_a_repeated_batch_repeats_its_outcomes_and_writes_nothing(connection: Connection) -> None:
    log, entity = Log(connection), new_id()
    log.append(event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}))
    log.append(event("interaction.create", entity, {"interactionType": "call"}))
    log.append(event("interaction.create", entity, {"interactionType": "call", "nope": True}))
    assert log.apply(0, 3) == ["applied", "applied", "rejected"]
    before = [_count(connection, table) for table in ("customer_interactions", "journal")]
    assert log.apply(0, 3) == ["applied", "applied", "rejected"]
    assert log.apply(1, 2) == ["applied"]
    assert before == [_count(connection, table) for table in ("customer_interactions", "journal")]


def test_a_stale_owner_cannot_write(connection: Connection) -> None:
    log, entity = Log(connection), new_id()
    for _ in range(4):
        log.append(event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}))
    log.apply(0, 1)
    with pytest.raises(Stop, match="above the watermark"):
        log.apply(3, 4)
    assert _count(connection, "journal") == 1


def test_a_former_owner_that_hangs_inside_a_copy_is_ended(
    fresh_database: Settings, connection: Connection
) -> None:
    log, entity = Log(connection), new_id()
    log.append(event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}))
    connection.execute("SET lock_timeout = '6s'")
    connection.commit()
    with connect(fresh_database, application_name="test-zombie") as zombie:
        zombie.execute("SELECT pg_advisory_xact_lock(%s, 0)", (log.transaction._sink._namespace,))
        with pytest.raises(psycopg.OperationalError):
            _hang_in_copy(zombie, log)


def _hang_in_copy(zombie: Connection, log: Log) -> None:
    with zombie.cursor() as cursor, cursor.copy("COPY customer_entities (id) FROM STDIN") as copy:
        with pytest.raises(Retry, match="holds the lock of one"):
            log.apply(0, 1)
        assert log.apply(0, 1) == ["applied"]
        while True:
            copy.write(b"x" * 65536)


def test_a_batch_that_fails_halfway_leaves_nothing(connection: Connection) -> None:
    log, entity = Log(connection), new_id()
    log.append(event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}))
    connection.execute("ALTER TABLE journal RENAME COLUMN outcome TO gone")
    connection.commit()
    with pytest.raises(Stop, match="db upgrade"):
        log.apply(0, 1)
    assert _count(connection, "customer_entities") == 0
    assert _count(connection, "consumed_offsets") == 0


_POISON = """
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN IF NEW.title = 'poison' THEN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END IF;
RETURN NEW; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON customer_interactions FOR EACH ROW EXECUTE FUNCTION refuse();
"""


def test_poison_is_isolated_and_can_be_replayed(fresh_settings: Settings) -> None:
    entity = new_id()
    with connect(fresh_settings, application_name="test") as connection:
        connection.execute(_POISON)
    messages = [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})]
    for number in range(60):
        title = "poison" if number in (7, 8, 41) else "fine"
        messages.append(event("interaction.create", entity, {"interactionType": "call", "title": title}))
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        results = outcomes(fresh_settings, messages)
        rejected = [number for number, result in enumerate(results[1:]) if result["outcome"] == "rejected"]
        assert rejected == [7, 8, 41]
        assert {results[8]["problem"]["code"]} == {"internal_error"}
        assert "refused" not in str(results[8]["problem"]), "the database's words may quote customers' text"
        dead_letters = list(read_topic(fresh_settings, DEAD_LETTERS))
        assert sorted(orjson.loads(dead_letter.value or b"")["id"] for dead_letter in dead_letters) == sorted(
            messages[number + 1]["id"] for number in rejected
        )
        with connect(fresh_settings, application_name="test") as connection:
            connection.execute("DROP TRIGGER refuse ON customer_interactions")
        replayed = wait_for_results(fresh_settings, publish(fresh_settings, [messages[8]]))
        assert decoder(fresh_settings).decode(replayed[0].value or b"")[1]["outcome"] == "applied"
        assert_clean(fresh_settings)


def _write_entry(connection: Connection, key: str) -> None:
    connection.execute(
        'INSERT INTO journal (tenant_id, organization_id, command_id, command_type, partition, "offset",'
        " fingerprint, outcome, appended_at, facts, events) VALUES (gen_random_uuid(), gen_random_uuid(), %s,"
        " 't', 0, 0, '', 'applied', now(), '{}', 1)",
        (key,),
    )


def _window(connection: Connection, at: JournalPosition) -> tuple[list[str], JournalPosition]:
    ceiling = snapshot_xmin(connection)
    keys = [
        entry.command_id
        for chunk in read_window(connection, JournalPosition(at.floor, ceiling, 0), 2)
        for entry in chunk.entries
    ]
    return keys, JournalPosition(ceiling)


def test_a_row_that_commits_late_is_not_skipped(fresh_database: Settings) -> None:
    with (
        connect(fresh_database, application_name="a") as slow,
        connect(fresh_database, application_name="b") as fast,
        connect(fresh_database, application_name="r", autocommit=True) as reader,
    ):
        at = JournalPosition(snapshot_xmin(reader))
        _write_entry(slow, "early position, late commit")
        _write_entry(fast, "late position, early commit")
        fast.commit()
        nothing, later = _window(reader, at)
        assert nothing == []
        slow.commit()
        # A transaction of another database of the server may hold the window back for a moment.
        both = ["early position, late commit", "late position, early commit"]
        wait_until(lambda: _window(reader, later)[0] == both, 30)


def test_changes_of_one_row_are_published_in_order_whatever_their_xids(fresh_database: Settings) -> None:
    with (
        connect(fresh_database, application_name="a") as first,
        connect(fresh_database, application_name="b") as second,
        connect(fresh_database, application_name="r", autocommit=True) as reader,
    ):
        at = JournalPosition(snapshot_xmin(reader))
        first.execute("SELECT pg_current_xact_id()")  # starts early, changes late
        _write_entry(second, "first change")
        second.commit()
        _write_entry(first, "second change")
        first.commit()
        wait_until(lambda: _window(reader, at)[0] == ["first change", "second change"], 30)


def test_a_relay_refuses_another_database_history(fresh_settings: Settings, embedded_stack: Settings) -> None:
    entity = new_id()
    upsert = event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})
    create = event("interaction.create", entity, {"interactionType": "call"})
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        outcomes(fresh_settings, [upsert, create])
        assert_clean(fresh_settings)
    other = fresh_settings.model_copy(update={"database_url": embedded_stack.database_url})
    with running(other, "relay") as relay:
        assert relay.wait_for_exit() == 2
        assert "restored from a backup" in relay.log


def test_a_command_id_is_unique_within_a_month(connection: Connection) -> None:
    entity = new_id()
    log = Log(connection)
    log.append(event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}))
    log.apply(0, 1)
    with pytest.raises(psycopg.errors.UniqueViolation), connection.transaction():
        connection.execute(
            "INSERT INTO journal (tenant_id, organization_id, command_id, command_type, partition,"
            ' "offset", fingerprint, outcome, facts, appended_at)'
            " SELECT tenant_id, organization_id, command_id, command_type, partition + 1,"
            ' "offset", fingerprint, outcome, facts, appended_at FROM journal'
        )


def test_two_appliers_that_race_on_one_command_id(fresh_database: Settings) -> None:
    """The same id in two partitions at once: one wins, the other is a conflict or a duplicate."""
    entity, command_id = new_id(), new_id()
    message = event(
        "entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"}, command_id=command_id
    )
    outcomes_seen: list[str] = []
    barrier = threading.Barrier(2)

    def work(partition: int) -> None:
        with connect(fresh_database, application_name="test") as connection:
            transaction = Applier(BatchSink(connection, consumer_group="test", topic="commands"))
            record = IncomingRecord(
                "commands", partition, 0, 1_700_000_000_000, entity.encode(), orjson.dumps(message), ()
            )
            barrier.wait()
            while True:
                try:
                    (decision,) = transaction.apply([decode_record(record, no_avro)], {partition: 0}, {})
                except Exception as error:
                    if type(error).__name__ != "Retry":
                        raise
                    continue
                outcomes_seen.append(decision.outcome)
                return

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes_seen) == ["applied", "duplicate"]


def test_the_rows_between_two_positions_are_read_once(fresh_database: Settings) -> None:
    """For every pair of positions: between windows, in one window, in two."""
    with (
        connect(fresh_database, application_name="w") as writer,
        connect(fresh_database, application_name="r", autocommit=True) as reader,
    ):
        rows: list[tuple[int, int, str]] = []
        for number in range(6):
            _write_entry(writer, f"row-{number}")
            writer.commit()
        query = "SELECT xid, position, command_id FROM journal ORDER BY position"
        rows = [(row[0], row[1], row[2]) for row in reader.execute(query)]
        bounds = [rows[0][0], rows[2][0], rows[4][0], rows[5][0] + 1]
        places = [JournalPosition(bounds[0])]
        for floor, ceiling in pairwise(bounds):
            window = JournalPosition(floor, ceiling)
            places += [
                window,
                *(replace(window, position=at) for xid, at, _ in rows if floor <= xid < ceiling),
            ]
            places.append(JournalPosition(ceiling))

        def published(place: JournalPosition) -> set[str]:
            return {
                key
                for xid, at, key in rows
                if xid < place.floor
                or (place.ceiling is not None and xid < place.ceiling and at <= place.position)
            }

        for first, start in enumerate(places):
            for end in places[first:]:
                found = [e.command_id for chunk in read_between(reader, start, end, 2) for e in chunk.entries]
                assert found == sorted(published(end) - published(start)), (start, end)
