"""The auditor on real servers: clean for a correct history, and finds each planted violation."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from runtime.kafka import make_admin, make_consumer, make_producer
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import COMMANDS, DEAD_LETTERS, EVENTS, INTERACTION_STATE, RESULTS
from tests.harness.audit import assert_clean, run_audit
from tests.harness.forked import run
from tests.harness.histories import history
from tests.harness.roles import environment, running
from tests.harness.topic_reader import read_topic
from tests.harness.wire import Raw, event, new_id, publish, wait_for_results
from tests.stack_fixtures import own_world

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def settled(embedded_stack: Settings, template_database: str) -> Iterator[Settings]:
    """A world in which a mixed history of valid and invalid commands was fully processed."""
    with own_world(embedded_stack, template_database) as settings:
        with running(settings, "applier"), running(settings, "relay"):
            messages: list[Any] = [*history(11, 1500), *_bad(), *_of_two_partitioners()]
            wait_for_results(settings, publish(settings, messages))
            assert_clean(settings)
        yield settings


def _bad() -> list[Raw]:
    chance = random.Random(5)
    return [Raw(b"k%d" % n, chance.randbytes(40), (("note", b"kept"),)) for n in range(20)] + [
        Raw(None, None)
    ]


def _of_two_partitioners() -> list[Raw]:
    """One entity whose commands arrive in two partitions, from two independent publishers."""
    import orjson

    entity, first, second = new_id(), new_id(), new_id()
    told: list[tuple[int, dict[str, Any]]] = [
        (0, event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "Two"}))
    ]
    for partition, interaction in ((0, first), (1, second)):
        data = {"id": interaction, "interactionType": "call", "scheduledAt": "2027-05-01T09:00:00Z"}
        told.append((partition, event("interaction.create", entity, data)))
        told.append((partition, event("interaction.complete", entity, {"id": interaction})))
        told.append((partition, event("interaction.reopen", entity, {"id": interaction})))
    return [Raw(entity.encode(), orjson.dumps(message), partition=at) for at, message in told]


def _broken(settings: Settings) -> dict[str, list[dict[str, Any]]]:
    code, report = run_audit(settings, wait=0)
    broken = {check["name"]: check["violations"] for check in report["checks"] if check["violations"]}
    assert code == (1 if broken else 0)
    assert report["ok"] is not bool(broken)
    return broken


def _execute(settings: Settings, statement: str, *values: Any) -> Any:
    with connect(settings, application_name="interactions-tests", autocommit=True) as connection:
        cursor = connection.execute(statement, values)
        return cursor.fetchone() if cursor.description else None


def test_a_drifted_projection_is_named(settled: Settings) -> None:
    entity, name = _execute(
        settled, "SELECT id::text, next_interaction_name FROM customer_entities"
        " WHERE next_interaction_name IS NOT NULL LIMIT 1"
    )  # fmt: skip
    change = "UPDATE customer_entities SET next_interaction_name = %s WHERE id = %s"
    _execute(settled, change, "Something else", entity)
    try:
        broken = _broken(settled)
        assert set(broken) == {"A3", "A4", "A8"}
        assert broken["A3"][0]["id"] == entity
    finally:
        _execute(settled, change, name, entity)
    assert _broken(settled) == {}


def test_a_lost_log_row_is_named(settled: Settings) -> None:
    with connect(settled, application_name="interactions-tests") as connection:
        # Undone by hand after the audit; the rows are kept in a side table meanwhile.
        connection.execute("CREATE TABLE kept AS SELECT * FROM journal WHERE outcome = 'applied' LIMIT 1")
        connection.execute(
            "DELETE FROM journal l USING kept k"
            " WHERE l.command_id = k.command_id AND l.tenant_id = k.tenant_id"
        )
        connection.commit()
        row = connection.execute("SELECT command_id FROM kept").fetchone()
        connection.rollback()
    assert row is not None
    try:
        broken = _broken(settled)
        assert row[0] in {found.get("commandId") for found in broken["A1"]}
    finally:
        _execute(settled, "INSERT INTO journal SELECT * FROM kept")
        _execute(settled, "DROP TABLE kept")
    assert _broken(settled) == {}


def test_servers_that_cannot_be_reached_are_exit_2(settled: Settings) -> None:
    nowhere = "postgresql://nobody@127.0.0.1:1/none"
    done = run(["audit"], environment(settled, INTERACTIONS_DATABASE_URL=nowhere))
    assert done.returncode == 2, done.stderr
    assert "could not run" in done.stderr
    assert "Traceback" not in done.stderr


def test_history_deleted_by_retention_is_a_note_not_a_violation(settled: Settings) -> None:
    """Retention deleted the oldest half of commands, results and events: the rest is still checked."""
    admin, consumer = make_admin(settled), make_consumer(settled, "interactions-tests")
    cuts = []
    for topic in (COMMANDS, RESULTS, EVENTS):
        name = settled.topic(topic)
        for partition in consumer.list_topics(name, 10).topics[name].partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=10)
            cuts.append(TopicPartition(name, partition, end // 2))
    consumer.close()
    for future in admin.delete_records(cuts).values():
        future.result()
    code, report = run_audit(settled, wait=0)
    assert report["ok"], [check["violations"][:3] for check in report["checks"] if check["violations"]]
    assert code == 0
    assert sum("retention has removed the oldest" in note for note in report["notes"]) == 3
    checked = {check["name"]: check["checked"] for check in report["checks"]}
    assert checked["A1"] > 500
    assert checked["A4"] > 500


def test_records_without_a_cause_are_named(settled: Settings) -> None:
    """A duplicate event, a duplicate dead letter, a lost tombstone. Runs last: records cannot be removed."""
    producer = make_producer(settled)
    for topic in (EVENTS, DEAD_LETTERS):
        record = next(r for r in read_topic(settled, topic) if r.value is not None)
        producer.produce(
            settled.topic(topic),
            key=record.key,
            value=record.value,
            headers=list(record.headers.items()),
            partition=record.partition,
        )
    state = next(r for r in read_topic(settled, INTERACTION_STATE) if r.value is not None)
    producer.produce(settled.topic(INTERACTION_STATE), key=new_id().encode(), value=state.value)
    assert producer.flush(30) == 0
    broken = _broken(settled)
    assert any("twice" in found["what"] for found in broken["A4"])
    assert any("two dead letters" in found["what"] for found in broken["A7"])
    assert any("a tombstone is missing" in found["what"] for found in broken["A8"])
