"""A completion with a next step on real servers: both rows, both events, one journal entry, or nothing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from typing import Any

import orjson
import psycopg
import pytest

from runtime.postgres import connect
from runtime.settings import Settings
from schemas.decode import decode_record
from schemas.errors import Retry
from schemas.incoming_record import IncomingRecord
from schemas.next_step import next_step_id
from schemas.topics import EVENTS, INTERACTION_STATE
from sinks.batch import BatchSink
from streams.applier.apply import Applier
from tests.harness.audit import assert_clean
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id, outcomes, publish, wait_for_results
from tests.integration.test_batch_transaction import Log, no_avro

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[tuple[Any, ...]]
LATER = {"interactionType": "call", "title": "Call back", "scheduledAt": "2027-02-01T09:00:00Z"}


class Story:
    """Commands of one customer with one planned interaction."""

    def __init__(self) -> None:
        self.entity, self.first = new_id(), new_id()
        self.step = next_step_id(TENANT, ORGANIZATION, self.first, 2)
        planned = {"id": self.first, "interactionType": "call", "scheduledAt": "2027-01-04T09:00:00Z"}
        self.begin = [
            event("entity.upsert", self.entity, {"id": self.entity, "kind": "person", "displayName": "A"}),
            self.on("create", planned),
        ]

    def on(self, verb: str, data: dict[str, Any], **more: Any) -> dict[str, Any]:
        return event(f"interaction.{verb}", self.entity, data, **more)

    def complete(self) -> dict[str, Any]:
        return self.on("complete", {"id": self.first, "feedback": "Wants an offer", "next": LATER})


@pytest.fixture
def connection(fresh_database: Settings) -> Iterator[Connection]:
    with connect(fresh_database, application_name="test") as opened:
        yield opened


def rows_of(connection: Connection, entity: str) -> dict[str, tuple[str, str | None]]:
    """Status and feedback of a customer's interactions, by id."""
    rows = connection.execute(
        "SELECT id::text, status, feedback FROM customer_interactions WHERE entity_id = %s", (entity,)
    ).fetchall()
    connection.commit()
    return {row[0]: (row[1], row[2]) for row in rows}


def next_of(connection: Connection, entity: str) -> tuple[Any, ...] | None:
    row = connection.execute(
        "SELECT next_interaction_ref_id::text, open_count, done_count FROM customer_entities WHERE id = %s",
        (entity,),
    ).fetchone()
    connection.commit()
    return row


@pytest.mark.parametrize("size", [1, 2, 100])
def test_both_rows_are_stored_taken_back_and_restored(connection: Connection, size: int) -> None:
    story, log = Story(), Log(connection)
    done = story.complete()
    messages = [*story.begin, done]
    for _ in range(4):  # undo, undo of the undo, and so on
        messages.append(story.on("undo", {"commandId": messages[-1]["id"]}))
    messages.append(story.on("complete", {"id": story.first, "next": LATER}))
    for message in messages:
        log.append(message)
    seen: list[str] = []
    for first in range(0, 8, size):
        seen += log.apply(first, min(first + size, 8))
    assert seen == ["applied"] * 7 + ["rejected"]
    assert rows_of(connection, story.entity) == {
        story.first: ("done", "Wants an offer"),
        story.step: ("planned", None),
    }
    assert next_of(connection, story.entity) == (story.step, 1, 1)


def test_versions_of_a_step_that_was_taken_back_continue(connection: Connection) -> None:
    story, log = Story(), Log(connection)
    done = story.complete()
    messages = (*story.begin, done, story.on("undo", {"commandId": done["id"]}))
    for message in (*messages, story.on("create", {"id": story.step, "interactionType": "call"})):
        log.append(message)
    assert log.apply(0, 4) == ["applied"] * 4
    assert rows_of(connection, story.entity) == {story.first: ("planned", None)}
    assert next_of(connection, story.entity) == (story.first, 1, 0)
    assert log.apply(4, 5) == ["applied"]
    row = connection.execute("SELECT version FROM customer_interactions WHERE id = %s", (story.step,))
    assert row.fetchone() == (3,)


@pytest.mark.parametrize("size", [1, 3])
def test_an_occupied_id_refuses_the_completion(connection: Connection, size: int) -> None:
    """Also if another customer has it, which only a look at the table shows."""
    story, other, log = Story(), new_id(), Log(connection)
    messages = [
        event("entity.upsert", other, {"id": other, "kind": "person", "displayName": "B"}),
        event("interaction.create", other, {"id": story.step, "interactionType": "call"}),
        *story.begin,
        story.complete(),
    ]
    for message in messages:
        log.append(message)
    assert log.apply(0, 2) == ["applied"] * 2
    seen = [outcome for first in range(2, 5, size) for outcome in log.apply(first, min(first + size, 5))]
    assert seen == ["applied", "applied", "rejected"]
    assert rows_of(connection, story.entity) == {story.first: ("planned", None)}


def test_a_repair_finds_the_projection_correct(connection: Connection) -> None:
    story, log = Story(), Log(connection)
    for message in (*story.begin, story.complete(), story.on("recompute_next", {})):
        log.append(message)
    assert log.apply(0, 3) == ["applied"] * 3
    assert log.apply(3, 4) == ["no_op"]


def test_two_appliers_that_complete_at_once_plan_one_step(fresh_database: Settings) -> None:
    story, seen = Story(), list[str]()
    with connect(fresh_database, application_name="test") as connection:
        log = Log(connection)
        for message in story.begin:
            log.append(message)
        assert log.apply(0, 2) == ["applied", "applied"]
        barrier = threading.Barrier(2)

        def work(partition: int) -> None:
            with connect(fresh_database, application_name="test") as own:
                applier = Applier(BatchSink(own, consumer_group="test", topic="commands"))
                value = orjson.dumps(story.complete())
                record = IncomingRecord(
                    "commands",
                    partition,
                    0,
                    log.records[-1].timestamp_ms + 1,
                    story.entity.encode(),
                    value,
                    (),
                )
                barrier.wait()
                while True:
                    try:
                        (decision,) = applier.apply([decode_record(record, no_avro)], {partition: 0}, {})
                    except Retry:
                        continue
                    seen.append(decision.outcome)
                    return

        threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(seen) == ["applied", "rejected"]
        assert rows_of(connection, story.entity).keys() == {story.first, story.step}


def test_events_and_states_of_both(pipeline: Settings) -> None:
    story = Story()
    done = story.complete()
    undo = story.on("undo", {"commandId": done["id"]})
    results = outcomes(pipeline, [*story.begin, done, done, undo])
    assert [result["outcome"] for result in results] == ["applied"] * 3 + ["duplicate", "applied"]
    planned = [result["plannedInteractionId"] for result in results]
    assert planned == [None, None, story.step, story.step, None]
    assert results[2]["nextInteraction"]["interactionId"] == story.step
    found: list[Any] = []

    def arrived() -> bool:
        records = (r for r in read_topic(pipeline, EVENTS) if r.key == story.entity.encode())
        found[:] = [r for r in records if not r.headers["ce_type"].startswith("customers.entity.")]
        return len(found) >= 8

    wait_until(arrived, 30, lambda: f"8 events, saw {len(found)}")
    assert [(r.headers["ce_type"].removeprefix("customers."), r.headers["ce_subject"]) for r in found] == [
        ("interaction.created", story.first),
        ("next_interaction.updated", story.entity),
        ("interaction.completed", story.first),
        ("interaction.created", story.step),
        ("next_interaction.updated", story.entity),
        ("interaction.reverted", story.first),
        ("interaction.deleted", story.step),
        ("next_interaction.updated", story.entity),
    ]
    sequences = [int(r.headers["ce_sequence"]) for r in found]
    assert sequences == sorted(set(sequences))
    assert len({r.headers["ce_id"] for r in found}) == 8

    def gone() -> bool:
        states = [r for r in read_topic(pipeline, INTERACTION_STATE) if r.key == story.step.encode()]
        return bool(states) and states[-1].value is None

    wait_until(gone, 10, lambda: "the tombstone of the step")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("point", ["before-commit:1", "after-commit-before-results:1"])
def test_a_killed_applier_leaves_one_step(fresh_settings: Settings, point: str) -> None:
    story = Story()
    done = story.complete()
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        wait_for_results(fresh_settings, publish(fresh_settings, story.begin))
    places = publish(fresh_settings, [done, done])
    armed = {"INTERACTIONS_TEST_BUILD": "1", "INTERACTIONS_CRASH_POINT": point}
    with running(fresh_settings, "applier", **armed) as victim:
        assert victim.wait_for_exit() == -signal.SIGKILL
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        results = wait_for_results(fresh_settings, places)
        assert [r.headers["ce_outcome"] for r in results] == ["applied", "duplicate"]
        assert_clean(fresh_settings)
    with connect(fresh_settings, application_name="test") as connection:
        assert rows_of(connection, story.entity).keys() == {story.first, story.step}
        row = connection.execute(
            "SELECT count(*) FROM journal WHERE command_id = %s", (done["id"],)
        ).fetchone()
        assert row == (1,)
