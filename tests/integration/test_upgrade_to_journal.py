"""Upgrade of a database of the version before the journal, with rows that that version wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import sqlalchemy as sa
from alembic import command
from psycopg import sql

from domain.decision import Decision
from domain.results import result_of
from runtime.postgres import Connection, connect, make_engine
from runtime.settings import Settings
from schemas.decode import decode_record
from schemas.errors import Stop
from schemas.incoming_record import IncomingRecord
from sinks import migrate
from sinks.batch import BatchSink
from sinks.journal_reader import JournalPosition, read_window, snapshot_xmin
from streams.applier.apply import Applier
from tests.harness.roles import wait_until
from tests.harness.wire import event
from tests.stack_fixtures import own_database

pytestmark = pytest.mark.integration

_BEFORE: Final = "a4c1d27b9e30"
_DATA: Final = json.loads(Path(__file__).with_name("rows_before_the_journal.json").read_text("utf-8"))
_ADA: Final = _DATA["tables"]["customer_entities"][0]["id"]
_EMPTY: Final = "template0"


@pytest.fixture
def before(embedded_stack: Settings) -> Iterator[Settings]:
    """Database at the revision before, with its monthly partitions and rows."""
    with own_database(embedded_stack, _EMPTY) as settings:
        engine = make_engine(settings)
        with engine.begin() as connection:
            command.upgrade(migrate._config(connection), _BEFORE)
        engine.dispose()
        with connect(settings, application_name="test") as connection:
            _add_partitions(connection)
            now = datetime.now(UTC).isoformat()
            for table, rows in _DATA["tables"].items():
                _insert(connection, table, [{**row, "logged_at": now} for row in rows])
        yield settings


def _add_partitions(connection: Connection) -> None:
    month = datetime.now(UTC).replace(day=1)
    following = month + timedelta(days=31)
    for table in ("command_log", "outbox"):
        name = f"{table}_y{month:%Y}m{month:%m}"
        connection.execute(
            sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(name),
                sql.Identifier(table),
                sql.Literal(f"{month:%Y-%m-01}"),
                sql.Literal(f"{following:%Y-%m-01}"),
            )
        )
        if table == "command_log":
            connection.execute(
                sql.SQL("CREATE UNIQUE INDEX {} ON {} (command_id, tenant_id, organization_id)").format(
                    sql.Identifier(f"{name}_command"), sql.Identifier(name)
                )
            )


def _insert(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    names = [
        row[0]
        for row in connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,)
        )
    ]
    for row in rows:
        given = [name for name in names if name in row]
        connection.execute(
            sql.SQL("INSERT INTO {t} ({c}) SELECT {c} FROM json_populate_record(null::{t}, %s)").format(
                t=sql.Identifier(table), c=sql.SQL(", ").join(map(sql.Identifier, given))
            ),
            (json.dumps(row),),
        )


class _Applier:
    def __init__(self, connection: Connection) -> None:
        self._applier = Applier(BatchSink(connection, consumer_group="old", topic="commands"))
        self.end = len(_DATA["records"])

    def repeat(self, *, again: bool) -> list[Decision]:
        """Apply the records of the previous version: the same ones, or copies at new offsets."""
        records = []
        for stored in _DATA["records"]:
            value = b"no JSON" if stored["value"] is None else orjson.dumps(stored["value"])
            offset = stored["offset"] + (self.end if again else 0)
            key = stored["key"].encode()
            records.append(IncomingRecord("commands", 0, offset, stored["timestamp_ms"], key, value, ()))
        return self._apply(records)

    def send(self, kind: str, data: dict[str, Any]) -> Decision:
        message = event(kind, _ADA, data)
        stamp = int(datetime.now(UTC).timestamp() * 1000)
        record = IncomingRecord("commands", 0, self.end, stamp, _ADA.encode(), orjson.dumps(message), ())
        self.end += 1
        return self._apply([record])[0]

    def _apply(self, records: list[IncomingRecord]) -> list[Decision]:
        commands = [decode_record(record, _no_avro) for record in records]
        return self._applier.apply(commands, {0: records[0].offset}, {})


def _no_avro(_: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("no Avro here")


@pytest.fixture
def connection(before: Settings) -> Iterator[Connection]:
    migrate.upgrade(before)
    assert migrate.check(before) == []
    with connect(before, application_name="test") as opened:
        yield opened


def _stored(name: str) -> dict[str, Any]:
    """Log row that the previous version wrote."""
    found: dict[str, Any] = next(r for r in _DATA["tables"]["command_log"] if r["command_id"] == name)
    return found


def test_redelivered_records_are_answered_as_the_previous_version_did(connection: Connection) -> None:
    decisions = _Applier(connection).repeat(again=False)
    by_place = {row["offset"]: row for row in _DATA["tables"]["command_log"]}
    assert len(decisions) == len(by_place) == len(_DATA["records"])
    for decision in decisions:
        assert not decision.logged
        assert result_of(decision) == by_place[decision.command.record.offset]["result"]


def test_repeated_commands_are_duplicates_of_the_old_rows(connection: Connection) -> None:
    applier = _Applier(connection)
    *decisions, undecodable = applier.repeat(again=True)
    assert {decision.outcome for decision in decisions} == {"duplicate"}
    for decision in decisions:
        first = _stored(decision.entry.command_id)["result"]
        answer = result_of(decision)
        assert answer["first"] == {name: value for name, value in first.items() if name != "first"}
        assert (answer["version"], answer["entityVersion"]) == (first["version"], first["entityVersion"])
    assert undecodable.outcome == "rejected", "it has no id of its own: this is another record"


def test_commands_of_the_previous_version_can_be_undone(connection: Connection) -> None:
    applier = _Applier(connection)
    canceled = _stored("old-13")
    undone = applier.send("interaction.undo", {"undoToken": canceled["result"]["undoToken"]})
    assert undone.outcome == "applied"
    assert undone.facts.after is not None
    assert (undone.facts.after.status, undone.facts.after.title) == ("planned", "Sooner")
    deleted = _stored("old-8")
    restored = applier.send("interaction.undo", {"commandId": "old-8"})
    assert restored.outcome == "applied"
    assert restored.facts.version == deleted["retired_version"] + 1
    assert restored.facts.after is not None
    assert restored.facts.after.status == "done"
    # And what the undo stored can be undone in turn.
    assert applier.send("interaction.undo", {"commandId": restored.entry.given_id}).outcome == "applied"


def test_only_new_rows_are_published(before: Settings, connection: Connection) -> None:
    with connect(before, application_name="relay", autocommit=True) as relay:

        def waiting() -> list[str]:
            window = JournalPosition(0, snapshot_xmin(relay))
            return [entry.command_id for chunk in read_window(relay, window, 100) for entry in chunk.entries]

        assert waiting() == []
        made = _Applier(connection).send("interaction.create", {"interactionType": "call"})
        # A transaction of another test may hold the window back: the server has one order for all databases.
        wait_until(lambda: made.entry.command_id in waiting(), 30)
        assert waiting() == [made.entry.command_id]


def test_events_that_wait_in_the_outbox_hold_the_upgrade_back(before: Settings) -> None:
    with connect(before, application_name="test") as connection:
        _insert(connection, "outbox", [{**_DATA["outbox"][0], "created_at": datetime.now(UTC).isoformat()}])
    with pytest.raises(Stop, match="1 events of the outbox are not published"):
        migrate.upgrade(before)
    engine = make_engine(before)
    with engine.connect() as opened:
        tables = set(sa.inspect(opened).get_table_names())
        assert {"command_log", "outbox"} <= tables
        assert "journal" not in tables
    engine.dispose()
    with connect(before, application_name="test") as connection:
        connection.execute(
            "INSERT INTO relay_positions (shard, epoch, xid_floor, position)"
            " SELECT '0', '', max(xid) + 1, 0 FROM outbox"
        )
    migrate.upgrade(before)
    assert migrate.check(before) == []
