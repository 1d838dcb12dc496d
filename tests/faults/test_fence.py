"""Fencing of the batch transaction: one owner per partition, and never past a gap."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import psycopg
import pytest

from runtime import crash_points
from schemas.command import Command, Refused
from schemas.decode import decode_record
from schemas.errors import Reject, Retry, Stop
from schemas.incoming_record import IncomingRecord
from sinks.batch import BatchSink
from sinks.consumed_offsets import advance_past_markers, partition_progress, save_results_offsets
from sinks.read_set_queries import DICTIONARY_LOCK, hash_scope
from streams.applier.apply import Applier
from tests.harness.roles import wait_until
from tests.harness.wire import ORGANIZATION, TENANT, event, new_id

pytestmark = pytest.mark.integration
_TOPIC = "fence"


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """URL of a database with the schema: one that was given, else one of the session's servers."""
    given = os.environ.get("INTERACTIONS_FENCE_DATABASE")
    if given:
        return given
    settings = request.getfixturevalue("fresh_settings")
    return str(settings.database_url.get_secret_value())


@pytest.fixture
def owners(database: str) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
    with psycopg.connect(database) as first, psycopg.connect(database) as second:
        yield first, second


def _commands(count: int) -> list[Command | Refused]:
    entity = new_id()
    messages = [event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})]
    messages += [event("interaction.create", entity, {"interactionType": "call"}) for _ in range(count - 1)]
    now = int(time.time() * 1000)
    return [
        decode_record(
            IncomingRecord(_TOPIC, 0, at, now, entity.encode(), orjson.dumps(message), ()), _no_avro
        )
        for at, message in enumerate(messages)
    ]


def _no_avro(_value: bytes) -> tuple[str, dict[str, Any]]:
    raise Reject("unusable_schema", "no registry here")


def _transaction(connection: psycopg.Connection[Any], group: str) -> Applier:
    return Applier(BatchSink(connection, consumer_group=group, topic=_TOPIC))


def test_a_second_owner_waits_for_the_partition(
    owners: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
    database: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The new owner waits for a zombie's open transaction, then repeats its outcomes without new effects."""
    commands, group = _commands(5), new_id()
    inside, go_on = threading.Event(), threading.Event()

    def hold(point: str) -> None:
        if point == "mid-statement" and threading.current_thread().name == "zombie":
            inside.set()
            go_on.wait(30)

    monkeypatch.setattr(crash_points, "reach", hold)
    outcomes: dict[str, list[str]] = {}

    def apply(connection: psycopg.Connection[Any]) -> None:
        decisions = _transaction(connection, group).apply(commands, {0: 0}, {})
        outcomes[threading.current_thread().name] = [decision.outcome for decision in decisions]

    threads = [
        threading.Thread(target=apply, args=(connection,), name=name)
        for connection, name in zip(owners, ("zombie", "owner"), strict=True)
    ]
    waits = (
        "SELECT wait_event FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
        [owners[1].info.backend_pid],
    )
    try:
        threads[0].start()
        assert inside.wait(20)
        threads[1].start()
        with psycopg.connect(database, autocommit=True) as watcher:
            wait_until(lambda: watcher.execute(*waits).fetchone() == ("advisory",), 10)
    finally:
        go_on.set()
        for thread in threads:
            if thread.ident is not None:
                thread.join(30)
    assert outcomes == {"zombie": ["applied"] * 5, "owner": ["applied"] * 5}
    with psycopg.connect(database) as watcher:
        ids = [command.envelope.id for command in commands]
        logged = watcher.execute("SELECT count(*) FROM journal WHERE command_id = ANY(%s)", (ids,))
        assert logged.fetchone() == (5,)


def test_a_batch_above_the_watermark_is_refused(
    owners: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    commands, transaction = _commands(6), _transaction(owners[0], new_id())
    transaction.apply(commands[:2], {0: 0}, {})
    with pytest.raises(Stop, match="above the watermark"):
        transaction.apply(commands[4:], {0: 4}, {})
    assert len(transaction.apply(commands[2:], {0: 2}, {})) == 4


def test_markers_are_skipped_from_the_watermark_alone(
    owners: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """A zombie with an outdated position must not move the watermark over records."""
    connection, group = owners[0], new_id()
    _transaction(connection, group).apply(_commands(2), {0: 0}, {})

    def positions() -> tuple[int, int]:
        found = partition_progress(connection, group, _TOPIC)[0]
        return found.next_offset, found.results_offset

    save_results_offsets(connection, group, _TOPIC, {0: 2})
    for position, end, after in ((1, 9, 2), (3, 9, 2), (2, 4, 4), (2, 9, 4)):
        advance_past_markers(connection, group, _TOPIC, {0: (position, end)})
        assert positions() == (after, after)
    save_results_offsets(connection, group, _TOPIC, {0: 5})
    assert positions() == (4, 4), "no result is out of what is not applied"


def test_a_former_owner_of_another_partition_does_not_keep_the_dictionary(
    owners: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """A zombie paused in a batch of partition 1 holds the dictionary lock that partition 0 needs."""
    (zombie, connection), group = owners, new_id()
    transaction = _transaction(connection, group)
    zombie.execute("SELECT pg_advisory_xact_lock(%s::int, 1)", (transaction._sink._namespace,))
    dictionary = (DICTIONARY_LOCK, hash_scope(TENANT, ORGANIZATION))
    zombie.execute("SELECT pg_advisory_xact_lock(%s::int, %s::int)", dictionary)
    connection.execute("SET lock_timeout = '6s'")
    commands = _commands(2)
    with pytest.raises(Retry, match="another applier"):
        transaction.apply(commands, {0: 0}, {0: 0, 1: 0})
    applied = transaction.apply(commands, {0: 0}, {0: 0, 1: 0})
    assert [decision.outcome for decision in applied] == ["applied"] * 2
    zombie.close()  # the server has ended its session
