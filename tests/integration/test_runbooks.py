"""Runbooks of operations.md, executed: records deleted by retention, and a restored database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from confluent_kafka import TopicPartition
from psycopg import sql

from runtime.kafka import make_admin
from runtime.postgres import connect
from runtime.settings import Settings
from runtime.topics import ensure_topics, existing_topics
from schemas.topics import COMMANDS, EVENTS, RELAY_POSITION
from sinks.backlog import unpublished
from sinks.consumed_offsets import watermarks
from tests.harness.histories import history
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import event, new_id, publish, wait_for_results
from tests.stack_fixtures import _administer, _on_database

pytestmark = [pytest.mark.integration, pytest.mark.timeout(240)]


def test_after_a_gap_that_retention_cut(fresh_settings: Settings) -> None:
    settings, entity = fresh_settings, new_id()
    person = event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})
    calls = [event("interaction.create", entity, {"interactionType": "call"}) for _ in range(30)]
    with running(settings, "applier"):
        wait_for_results(settings, publish(settings, [person, *calls[:10]]), 60)
    places = publish(settings, calls[10:])
    partition, cut = places[9]
    topic = settings.topic(COMMANDS)
    admin = make_admin(settings)
    for future in admin.delete_records([TopicPartition(topic, partition, cut)]).values():
        future.result()
    with running(settings, "applier") as stopped:
        assert stopped.wait_for_exit() == 2
        assert f"to {cut - 1} were deleted by retention" in stopped.log
    with connect(settings, application_name="operator") as connection:
        connection.execute(
            "UPDATE consumed_offsets SET next_offset = %s WHERE consumer_group = %s AND topic = %s"
            " AND partition = %s",
            (cut, settings.consumer_group, topic, partition),
        )
    with running(settings, "applier"):
        wait_for_results(settings, places[9:], 60)


@pytest.fixture
def restored(fresh_settings: Settings) -> Iterator[Settings]:
    """The same topics with a database restored from a copy of the present one."""
    assert fresh_settings.database_url is not None
    name = f"{fresh_settings.topic_prefix.rstrip('.')}_restored"
    yield _on_database(fresh_settings, name)
    _administer(
        fresh_settings, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
    )


@pytest.mark.long
def test_after_a_backup_was_restored(fresh_settings: Settings, restored: Settings) -> None:
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        early = publish(fresh_settings, history(seed=1, commands=80, entities=20))
        wait_for_results(fresh_settings, early, 60)
        wait_until(lambda: _left(fresh_settings) == 0, 30)
    _copy(fresh_settings, restored)
    with running(fresh_settings, "applier"), running(fresh_settings, "relay"):
        late = publish(fresh_settings, history(seed=2, commands=80, entities=20))
        wait_for_results(fresh_settings, late, 60)
        wait_until(lambda: _left(fresh_settings) == 0, 30)

    # The applier applies the commands that the backup lacks again, with the same rows as a result.
    with running(restored, "applier") as applier:
        wait_until(lambda: _watermarks(restored) == _watermarks(fresh_settings), 60)
        assert "applier.offsets_ahead_of_database" in applier.log
    assert _rows(restored) == _rows(fresh_settings)
    # The relay cannot know which events are in both journal and topic, and stops for a decision.
    with running(restored, "relay") as relay:
        assert relay.wait_for_exit() == 2
        assert "this database is not the one whose journal was published so far" in relay.log
    once = Counter(record.headers["ce_id"] for record in read_topic(restored, EVENTS))
    assert set(once.values()) == {1}

    # Publish from the beginning: delete the checkpoint. Consumers deduplicate by event id.
    admin, name = make_admin(restored), restored.topic(RELAY_POSITION)
    for future in admin.delete_topics([name]).values():
        future.result()
    wait_until(lambda: name not in existing_topics(admin), 30)
    assert ensure_topics(restored) == [name]
    with running(restored, "relay"):
        wait_until(lambda: _left(restored) == 0, 60)
    twice = Counter(record.headers["ce_id"] for record in read_topic(restored, EVENTS))
    assert set(twice) == set(once)
    assert set(twice.values()) == {2}


def _copy(settings: Settings, to: Settings) -> None:
    names = [
        str(place.database_url.get_secret_value()).rpartition("/")[2]
        for place in (settings, to)
        if place.database_url
    ]
    _administer(
        settings,
        sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*(sql.Identifier(name) for name in reversed(names))),
    )


def _left(settings: Settings) -> int:
    with connect(settings, application_name="test", autocommit=True) as connection:
        return unpublished(connection, "0")


def _watermarks(settings: Settings) -> dict[int, int]:
    with connect(settings, application_name="test", autocommit=True) as connection:
        return watermarks(connection, settings.consumer_group, settings.topic(COMMANDS))


def _rows(settings: Settings) -> list[tuple[object, ...]]:
    with connect(settings, application_name="test", autocommit=True) as connection:
        return connection.execute(
            "SELECT id, entity_id, status, scheduled_at, version FROM customer_interactions ORDER BY id"
        ).fetchall()
