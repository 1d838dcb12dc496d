"""The read model in examples/ equals the tables in Postgres, also after kill -9 in the middle of traffic."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import TopicPartition

from examples.read_model.__main__ import FOLLOWED, STATES, Reader
from examples.read_model.queries import QUERIES
from examples.read_model.tables import ReadModel
from examples.read_model.topics import Topics
from runtime.kafka import make_admin, make_producer
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.identity import derive_id
from schemas.topics import DEAL_STATE, EVENTS, INTERACTION_STATE
from streams.lag import lag_by_role
from tests.harness.histories import history
from tests.harness.roles import environment, running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import event, new_id, publish, wait_for_results

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

ROOT: Final = Path(__file__).parents[2]

_INTERACTION: Final = (
    "id, version, tenant_id, organization_id, entity_id, deal_id, interaction_type, title, body, status,"
    " scheduled_at, occurred_at, priority, author_user_id, owner_user_id, appearance_icon, appearance_color,"
    " source, created_at, updated_at"
)
_NEXT: Final = "tenant_id, organization_id, entity_id, interaction_id, scheduled_at, name, icon, color"
_NEXT_ROWS: Final = (
    "(SELECT tenant_id, organization_id, id AS entity_id, next_interaction_ref_id AS interaction_id,"
    " next_interaction_at AS scheduled_at, next_interaction_name AS name, next_interaction_icon AS icon,"
    " next_interaction_color AS color FROM customer_entities WHERE next_interaction_ref_id IS NOT NULL)"
)
_ENTITY: Final = (
    "id, version, tenant_id, organization_id, kind, display_name, primary_email, primary_phone,"
    " owner_user_id, last_interaction_id, last_at, last_name, open_count, overdue_count, done_count,"
    " created_at, updated_at"
)
_ENTITY_ROWS: Final = (
    "(SELECT *, entity_version AS version, last_interaction_ref_id AS last_interaction_id,"
    " last_interaction_at AS last_at, last_interaction_name AS last_name FROM customer_entities)"
)
_DEAL: Final = "id, version, tenant_id, organization_id, entity_id, title, status, created_at, updated_at"
_TYPE: Final = "tenant_id, organization_id, code, label, icon, color, actionable"
#: Table of the read model → its columns, and the rows of Postgres under the same names.
EQUAL: Final = {
    "interactions": (_INTERACTION, "customer_interactions"),
    "next_interactions": (_NEXT, _NEXT_ROWS),
    "entities": (_ENTITY, _ENTITY_ROWS),
    "deals": (_DEAL, "customer_deals"),
    "interaction_types": (_TYPE, "interaction_types"),
}
EVENT_TABLES: Final = ("interactions", "next_interactions")


def assert_equal(settings: Settings, file: Path, tables: tuple[str, ...] = tuple(EQUAL)) -> dict[str, int]:
    """Compare every row of the tables; returns their numbers."""
    counts = {}
    with ReadModel(str(file)) as model, connect(settings, application_name="test") as connection:
        for table in tables:
            columns, source = EQUAL[table]
            ours = model.database.execute(f"SELECT {columns} FROM {table}").fetchall()
            theirs = connection.execute(f"SELECT {columns} FROM {source} AS t").fetchall()
            assert sorted(map(_text, ours)) == sorted(map(_text, theirs)), table
            counts[table] = len(ours)
    return counts


def _text(row: tuple[Any, ...]) -> tuple[str, ...]:
    """Make rows of both databases comparable: UUIDs of Postgres are text in the read model."""
    return tuple("" if value is None else f"={value}" for value in row)


def traffic(seed: int, commands: int) -> list[dict[str, Any]]:
    """History of interactions with new names of customers, deals, and organizations that appear late."""
    chance = random.Random(seed)
    messages: list[dict[str, Any]] = []
    for number, message in enumerate(history(seed, commands, entities=40)):
        messages.append(message)
        entity = message["entityid"]
        if not message["type"].startswith("customers.interaction."):
            continue
        if number % 12 == 0:
            data: dict[str, Any] = {"id": entity, "kind": "company", "displayName": f"Renamed {number}"}
            messages.append(event("entity.upsert", entity, data))
        if number % 9 == 0:
            deal = derive_id("deal", entity)
            data = {"id": deal, "title": f"Deal {number}", "status": chance.choice(("open", "won"))}
            messages.append(event("deal.upsert", entity, data))
            data = {"interactionType": "meeting", "dealId": deal, "scheduledAt": "2020-01-06T09:00:00Z"}
            messages.append(event("interaction.create", entity, data))
        if number % 100 == 50:
            messages += newcomer(f"Newcomer {number}")
    return messages


def newcomer(name: str, kind: str = "call") -> list[dict[str, Any]]:
    """A customer with one interaction, the first in its organization."""
    entity, scope = new_id(), {"organization": new_id()}
    data = {"id": entity, "kind": "person", "displayName": name}
    interaction = {"interactionType": kind, "title": name, "scheduledAt": "2027-01-04T09:00:00Z"}
    return [
        event("entity.upsert", entity, data, **scope),
        event("interaction.create", entity, interaction, **scope),
    ]


def wait_until_at_rest(settings: Settings) -> None:
    """Wait until nothing is left to apply or to publish, also of what the relay itself commands."""

    def at_rest() -> bool:
        return all(
            (lag["applier"], lag["relay"]) == (0, 0) for lag in (lag_by_role(settings), lag_by_role(settings))
        )

    wait_until(at_rest, 60, lambda: str(lag_by_role(settings)))


class Example:
    """The program as its users run it; killed at the end of the block in any case."""

    def __init__(self, settings: Settings, file: Path, *options: str) -> None:
        self._log = file.with_suffix(f".{uuid.uuid4().hex[:8]}.log")
        command = [
            sys.executable,
            "-m",
            "examples.read_model",
            "--file",
            str(file),
            "--overlap",
            "0",
            *options,
        ]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=environment(settings), cwd=ROOT, stdout=log, stderr=subprocess.STDOUT
            )

    def __enter__(self) -> Example:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until the program has printed a text so many times."""
        wait_until(
            lambda: self.log.count(text) >= times,
            120,
            lambda: f"{text!r} {times} times (exit {self._process.poll()}):\n{self.log[-3000:]}",
        )

    def kill(self) -> None:
        """Send SIGKILL, unless the program has ended."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(10)

    def stop(self) -> int:
        """Send SIGTERM; returns the exit code."""
        self._process.terminate()
        return self._process.wait(30)

    def wait(self) -> int:
        """Wait for the exit code."""
        return self._process.wait(120)


def run(settings: Settings, file: Path, *options: str) -> str:
    """Run the program to the end of the topics; returns its output."""
    with Example(settings, file, "--no-follow", *options) as program:
        assert program.wait() == 0, program.log
        return program.log


@contextlib.contextmanager
def open_transaction(settings: Settings, topic: str) -> Iterator[None]:
    """Keep a transaction open on a topic: its readers wait in front of it."""
    producer = make_producer(settings, **{"transactional.id": f"{settings.topic_prefix}open"})
    producer.init_transactions(20)
    producer.begin_transaction()
    producer.produce(settings.topic(topic), b"never seen", b"never seen", partition=0)
    assert producer.flush(20) == 0
    try:
        yield
    finally:
        producer.abort_transaction(20)


def test_the_copy_equals_the_database_after_kills_in_the_middle_of_traffic(
    fresh_settings: Settings, tmp_path: Path
) -> None:
    settings, file = fresh_settings, tmp_path / "read-model.duckdb"
    messages = traffic(seed=11, commands=1200)
    size = len(messages) // 6
    parts = [messages[start : start + size] for start in range(0, len(messages), size)]

    def send(part: list[dict[str, Any]]) -> None:
        wait_for_results(settings, publish(settings, part))

    with running(settings, "applier"), running(settings, "relay"):
        send(parts[0])
        wait_until_at_rest(settings)
        # In the middle of the states: the program waits for the open transaction.
        with open_transaction(settings, DEAL_STATE), Example(settings, file, "--batch-size", "20") as program:
            program.wait_for("applied", 3)
            send(parts[1])
            program.kill()
        with ReadModel(str(file)) as model:
            assert not model.finished
            assert model.positions(STATES)
        # In the middle of the events, three times.
        for part in parts[2:5]:
            with Example(settings, file, "--batch-size", "10") as program:
                program.wait_for("Following")
                before = program.log.count("applied")
                sender = threading.Thread(target=send, args=(part,))
                sender.start()
                program.wait_for("applied", before + 3)
                program.kill()
                sender.join()
        send([message for part in parts[5:] for message in part])
        with Example(settings, file) as program:
            program.wait_for("Following")
            wait_until_at_rest(settings)
            assert program.stop() == 0, program.log
            assert "interactions  " in program.log
        log = run(settings, file)
        for title in QUERIES:
            assert title in log
        counts = assert_equal(settings, file)
    assert min(counts.values()) > 20, counts
    for type_ in ("customers.interaction.deleted", "customers.next_interaction.updated"):
        assert any(record.headers["ce_type"] == type_ for record in read_topic(settings, EVENTS))


def test_events_published_while_the_states_are_read_are_not_lost(
    fresh_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, file = fresh_settings, tmp_path / "read-model.duckdb"
    read, rounds = Reader.read, iter(range(100))

    def read_and_publish(reader: Reader, topics: Any) -> None:
        read(reader, topics)
        if EVENTS not in topics:
            name = f"During round {next(rounds)}"
            wait_for_results(settings, publish(settings, newcomer(name)))
            wait_until(lambda: _published(settings, name), 30)

    with running(settings, "applier"), running(settings, "relay"):
        wait_for_results(settings, publish(settings, traffic(seed=12, commands=150)))
        wait_until_at_rest(settings)
        with monkeypatch.context() as patched:
            patched.setattr(Reader, "read", read_and_publish)
            read_here(settings, file)
        wait_until_at_rest(settings)
        assert next(rounds) == 2, "the states are read twice"
        assert_equal(settings, file, EVENT_TABLES)
        run(settings, file)
        assert_equal(settings, file)


def test_events_whose_states_are_not_published_yet_are_not_lost(
    fresh_settings: Settings, tmp_path: Path
) -> None:
    """The relay is killed between the events and their states, before anything is read."""
    settings, file = fresh_settings, tmp_path / "read-model.duckdb"
    with running(settings, "applier"):
        with running(settings, "relay"):
            wait_for_results(settings, publish(settings, traffic(seed=13, commands=150)))
            wait_until_at_rest(settings)
        wait_for_results(settings, publish(settings, newcomer("Without a state")))
        point = {
            "INTERACTIONS_TEST_BUILD": "1",
            "INTERACTIONS_CRASH_POINT": "relay-after-commit-before-cleanup:1",
        }
        with running(settings, "relay", **point) as relay:
            assert relay.wait_for_exit() == -signal.SIGKILL
        assert _published(settings, "Without a state")
        assert not _published(settings, "Without a state", INTERACTION_STATE)
        run(settings, file)
        assert_equal(settings, file, EVENT_TABLES)
        with running(settings, "relay"):
            # Something to publish: only then does a relay store its position in the database.
            wait_for_results(settings, publish(settings, newcomer("Another")))
            wait_until_at_rest(settings)
        run(settings, file)
        assert_equal(settings, file)


def test_records_of_an_open_transaction_are_awaited(fresh_settings: Settings, tmp_path: Path) -> None:
    topics = topics_of(fresh_settings)
    with open_transaction(fresh_settings, INTERACTION_STATE):
        assert topics.ends([INTERACTION_STATE]) == {(INTERACTION_STATE, 0): 1}
    topics.close()
    read_here(fresh_settings, tmp_path / "read-model.duckdb")


def test_records_that_were_deleted_before_they_were_read_are_reported(
    fresh_settings: Settings, tmp_path: Path
) -> None:
    settings, file = fresh_settings, tmp_path / "read-model.duckdb"
    read_here(settings, file)
    producer = make_producer(settings)
    for _ in range(3):
        producer.produce(settings.topic(EVENTS), b"{}", b"key", partition=1)
    assert producer.flush(20) == 0
    admin, offset = make_admin(settings), TopicPartition(settings.topic(EVENTS), 1, 2)
    admin.delete_records([offset])[offset].result()
    with pytest.raises(SystemExit, match="have been deleted"):
        read_here(settings, file)


def test_a_topic_of_the_same_name_is_not_continued(fresh_settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "read-model.duckdb"
    read_here(fresh_settings, file)
    with ReadModel(str(file)) as model:
        model.apply((), {(EVENTS, 1): 5})
    with pytest.raises(SystemExit, match="replaced by a new one"):
        read_here(fresh_settings, file)


def topics_of(settings: Settings) -> Topics:
    return Topics(
        str(settings.kafka_bootstrap_servers), str(settings.schema_registry_url), settings.topic_prefix
    )


def read_here(settings: Settings, file: Path) -> None:
    """Run the program in this process, to the end of the topics."""
    topics = topics_of(settings)
    with contextlib.closing(topics), ReadModel(str(file)) as model:
        reader = Reader(model, topics, 50, threading.Event())
        if not model.finished:
            reader.bootstrap(timedelta(0))
        reader.read(FOLLOWED)


def _published(settings: Settings, title: str, topic: str = EVENTS) -> bool:
    """Report whether a topic has an interaction with this title."""
    return any(
        record.headers["ce_type"].startswith("customers.interaction.")
        and title.encode() in (record.value or b"")
        for record in read_topic(settings, topic)
    )
