"""A record that fails in the pipeline is isolated within its batch; all others are applied."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pytest

from audit.postgres_reader import PostgresReader
from domain import decide
from domain.decision import Decision
from domain.results import result_of
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.errors import Stop
from schemas.incoming_record import IncomingRecord
from sinks.batch import BatchSink
from sinks.erasure.erased import ErasedCustomer
from sinks.erasure.journal import entries_to_scrub
from streams.applier.apply import Applier
from streams.applier.result_records import EncodeResult
from streams.applier.result_values import ResultValues
from tests.harness.wire import event, new_id
from tests.stack_fixtures import own_database

pytestmark = pytest.mark.integration
_FEW, _MANY = 5, 45


def _no_avro(_: bytes) -> tuple[str, dict[str, Any]]:
    raise AssertionError("no Avro here")


@pytest.fixture(scope="module")
def world(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    with own_database(embedded_stack, template_database) as settings:
        yield settings


@pytest.fixture
def connection(world: Settings) -> Iterator[Connection]:
    with connect(world, application_name="test") as opened:
        yield opened


@pytest.fixture
def refuse(connection: Connection) -> Iterator[Callable[[str], None]]:
    """Let the database refuse rows with a title of ``bad``, by the given SQLSTATE."""

    def install(state: str) -> None:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.title = 'bad' THEN"
            f" RAISE EXCEPTION 'very private words' USING ERRCODE = '{state}';"
            " END IF; RETURN NEW; END $$".encode()
        )
        connection.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON customer_interactions"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
        connection.commit()

    yield install
    connection.rollback()
    connection.execute("DROP FUNCTION refuse CASCADE")
    connection.commit()


class Log:
    """One partition of creates for one customer, applied without Kafka."""

    def __init__(self, connection: Connection, encode: EncodeResult | None = None) -> None:
        self.connection = connection
        self.entity = new_id()
        self.topic = f"commands-{self.entity[:8]}"
        self.next = 0
        sink = BatchSink(connection, consumer_group=new_id(), topic=self.topic)
        self._applier = Applier(sink, ResultValues(encode) if encode is not None else None)
        entity = {"id": self.entity, "kind": "person", "displayName": "A"}
        assert self.outcomes(self.apply([self.command("entity.upsert", entity)])) == ["applied"]

    def command(self, kind: str = "interaction.create", data: dict[str, Any] | None = None) -> Any:
        message = event(kind, self.entity, data or {"interactionType": "call"})
        now = int(time.time() * 1000)
        record = IncomingRecord(
            self.topic, 0, self.next, now, self.entity.encode(), orjson.dumps(message), ()
        )
        self.next += 1
        return decode_record(record, _no_avro)

    def apply(self, commands: Sequence[Command | Refused]) -> list[Decision]:
        return self._applier.apply(commands, {0: commands[0].record.offset}, {})

    @staticmethod
    def outcomes(decisions: Sequence[Decision]) -> list[str]:
        return [decision.outcome for decision in decisions]

    def batch(self, size: int, bad: int, make_bad: Callable[[Any], Any]) -> list[Any]:
        commands = [self.command() for _ in range(size)]
        commands[bad] = make_bad(commands[bad])
        return commands

    def check(self, commands: Sequence[Any], bad: int) -> Decision:
        """Apply them twice: all but one are applied, and each outcome is final."""
        decisions = self.apply(commands)
        assert [n for n, outcome in enumerate(self.outcomes(decisions)) if outcome != "applied"] == [bad]
        again = self.apply(commands)
        assert [result_of(decision) for decision in again] == [result_of(decision) for decision in decisions]
        record = commands[bad].record
        for decision in (decisions[bad], again[bad]):
            assert isinstance(decision.command, Refused)
            assert decision.command.undecodable, "it gets a dead letter, also after a restart"
            assert result_of(decision)["problem"]["code"] == "internal_error"
            assert f"reference 0:{record.offset}" in result_of(decision)["problem"]["detail"]
        rows = self.connection.execute(
            "SELECT outcome FROM journal WHERE command_id = %s", (f"dead:{self.topic}:0:{record.offset}",)
        ).fetchall()
        self.connection.commit()
        assert rows == [("rejected",)]
        return decisions[bad]


def _with(command: Command, **attributes: str) -> Command:
    members = {name: getattr(command, name) for name in command.__struct_fields__}
    envelope = command.envelope
    changed = {name: getattr(envelope, name) for name in envelope.__struct_fields__}
    return Command(**{**members, "envelope": type(envelope)(**{**changed, **attributes})})


@pytest.mark.parametrize("size", [1, _FEW, _MANY])
@pytest.mark.parametrize(
    "attributes",
    [
        {"tenant_id": "11111111-1111-4111-8111-111111111111\n"},
        {"organization_id": "22222222-2222-4222-8222-22222222222\\"},
        {"entity_id": "{,}"},
        {"actor_id": "a\x00b"},
        {"id": "c\ud83d"},
        {"sync_origin": "\ud83d"},
    ],
    ids=lambda attributes: next(iter(attributes)),
)
def test_an_attribute_that_cannot_be_stored(
    connection: Connection, size: int, attributes: dict[str, str]
) -> None:
    log, bad = Log(connection), size // 2
    log.check(log.batch(size, bad, lambda command: _with(command, **attributes)), bad)


@pytest.mark.parametrize("size", [1, _FEW, _MANY])
def test_a_rule_that_breaks_on_one_command(
    connection: Connection, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = decide.HANDLERS["customers.interaction.create"]

    def create(world: Any, command: Command, payload: Any) -> Decision:
        if payload.title == "breaks":
            raise KeyError("very private words")
        return real(world, command, payload)

    monkeypatch.setitem(decide.HANDLERS, "customers.interaction.create", create)
    log, bad = Log(connection), size // 2
    breaking = {"interactionType": "call", "title": "breaks"}
    made = log.check(log.batch(size, bad, lambda given: _instead(log, given, breaking)), bad)
    assert "KeyError" in result_of(made)["problem"]["detail"]
    assert "private" not in str(result_of(made))


@pytest.mark.parametrize("size", [_FEW, _MANY])
def test_savepoints_are_taken_only_after_a_failure(
    connection: Connection, size: int, refuse: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    log, taken = Log(connection), []
    real = type(connection).transaction

    def transaction(given: Connection, *arguments: Any, **named: Any) -> Any:
        taken.append(1)
        return real(given, *arguments, **named)

    monkeypatch.setattr(type(connection), "transaction", transaction)
    good = [log.command() for _ in range(size)]
    assert set(log.outcomes(log.apply(good))) == {"applied"}
    assert set(log.outcomes(log.apply(good))) == {"applied"}, "repeated outcomes"
    assert taken == []

    refuse("P0001")
    bad = {"interactionType": "call", "title": "bad"}
    log.check(log.batch(size, size // 2, lambda given: _instead(log, given, bad)), size // 2)
    assert taken


def _instead(log: Log, command: Command, data: dict[str, Any]) -> Any:
    """Another command at the same partition and offset."""
    after, log.next = log.next, command.record.offset
    other = log.command("interaction.create", data)
    log.next = after
    return other


@pytest.mark.parametrize("size", [1, _MANY])
@pytest.mark.parametrize("state", ["22P05", "22021", "54000", "P0001", "XX000", "44000"])
def test_a_row_that_the_server_refuses(
    connection: Connection, refuse: Callable[[str], None], size: int, state: str
) -> None:
    refuse(state)
    log, bad = Log(connection), size // 2
    data = {"interactionType": "call", "title": "bad"}
    made = log.check(log.batch(size, bad, lambda given: _instead(log, given, data)), bad)
    assert f"SQLSTATE {state}" in result_of(made)["problem"]["detail"]
    assert "private" not in str(result_of(made))


@pytest.mark.parametrize("size", [1, _FEW, _MANY])
def test_an_outcome_that_cannot_be_published(connection: Connection, size: int) -> None:
    bad = size // 2

    def encode(result: dict[str, Any]) -> bytes:
        if result["commandOffset"] == 1 + bad and result["outcome"] == "applied":
            raise Stop("the value does not fit its schema")
        return b""

    log = Log(connection, encode)
    log.check([log.command() for _ in range(size)], bad)


def test_when_every_command_fails_the_process_ends(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def create(*_: Any) -> Decision:
        raise RuntimeError

    log = Log(connection)
    monkeypatch.setitem(decide.HANDLERS, "customers.interaction.create", create)
    with pytest.raises(Stop, match="broken deployment"):
        log.apply([log.command() for _ in range(150)])
    row = connection.execute("SELECT entity_version FROM customer_entities WHERE id = %s", (log.entity,))
    assert row.fetchone() == (1,), "nothing of the batch is stored"
    rejected = connection.execute(
        "SELECT count(*) FROM journal WHERE entity_id = %s AND outcome = 'rejected'", (log.entity,)
    )
    assert rejected.fetchone() == (0,)
    connection.commit()


def test_an_outdated_schema_is_not_blamed_on_a_command(connection: Connection) -> None:
    log = Log(connection)
    connection.execute("ALTER TABLE journal RENAME COLUMN facts TO gone")
    connection.commit()
    try:
        with pytest.raises(Stop, match="interactions db upgrade"):
            log.apply([log.command() for _ in range(_MANY)])
    finally:
        connection.execute("ALTER TABLE journal RENAME COLUMN gone TO facts")
        connection.commit()


def test_a_refused_field_name_with_nul_leaves_the_journal_readable(
    connection: Connection, world: Settings
) -> None:
    log = Log(connection)
    (decision,) = log.apply([log.command(data={"interactionType": "call", "a\x00b": 1})])
    problem = result_of(decision)["problem"]

    assert (problem["code"], problem["errors"][0]["pointer"]) == ("validation_failed", "/a\ufffdb")
    stored = "SELECT facts -> 'problem' ->> 'code' FROM journal WHERE entity_id = %s AND outcome = 'rejected'"
    assert connection.execute(stored, (log.entity,)).fetchall() == [("validation_failed",)]
    # Earlier versions stored the name as it was.
    connection.execute(
        """UPDATE journal SET facts = '{"problem": {"code": "x", "detail": "a\\u0000b"}}'"""
        " WHERE entity_id = %s AND outcome = 'rejected'",
        (log.entity,),
    )
    connection.commit()
    reader = PostgresReader(world)
    rows = [row for row in reader.rows("publications") if row["entity_id"] == log.entity]
    reader.close()
    assert sorted((row["events"], row["has_facts"]) for row in rows) == [(0, True), (1, True)]
    envelope = decision.command.envelope
    assert envelope.tenant_id is not None
    assert envelope.organization_id is not None
    customer = ErasedCustomer(
        entity_id=log.entity,
        tenant_id=envelope.tenant_id,
        organization_id=envelope.organization_id,
        mirrors="leave",
    )
    assert len(entries_to_scrub(connection, customer)) == 1
