"""Start offsets on assignment: added partitions, deleted markers, another topic, reset offsets."""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Iterator, Sequence

import orjson
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]

from runtime.kafka import make_admin, make_consumer, make_producer
from runtime.postgres import connect
from runtime.settings import Settings
from runtime.topics import ensure_topics, existing_topics
from schemas.topics import COMMANDS, DEAD_LETTERS
from sinks.consumed_offsets import StoredOffsets, read_stored_offsets
from streams.partition_ends import partition_ends, topic_id
from tests.harness.audit import assert_clean
from tests.harness.clients import forget_producers
from tests.harness.roles import running, wait_until
from tests.harness.topic_reader import read_topic
from tests.harness.wire import Raw, event, new_id, publish, results_by_place, wait_for_results

pytestmark = pytest.mark.integration


def _person(partition: int = -1) -> Raw:
    entity = new_id()
    message = event("entity.upsert", entity, {"id": entity, "kind": "person", "displayName": "A"})
    return Raw(entity.encode(), orjson.dumps(message), (), partition)


@contextlib.contextmanager
def _transaction(settings: Settings) -> Iterator[Producer]:
    producer = make_producer(settings, **{"transactional.id": new_id()})
    producer.init_transactions(30)
    producer.begin_transaction()
    yield producer


def _in_a_transaction(settings: Settings, record: Raw, *, abort: bool = False) -> None:
    with _transaction(settings) as producer:
        producer.produce(
            settings.topic(COMMANDS), key=record.key, value=record.value, partition=record.partition
        )
        producer.flush(30)
        if abort:
            producer.abort_transaction(30)
        else:
            producer.commit_transaction(30)


def _end(settings: Settings, partition: int = 0) -> int:
    return partition_ends(make_admin(settings), settings.topic(COMMANDS), [partition])[partition].high


def _delete_all(settings: Settings, partition: int = 0) -> None:
    """Delete every record of a partition, as retention does with its last segment."""
    place = TopicPartition(settings.topic(COMMANDS), partition, _end(settings, partition))
    admin = make_admin(settings)
    for future in admin.delete_records([place]).values():
        future.result()


def _stored(settings: Settings, partition: int = 0) -> StoredOffsets | None:
    return read_stored_offsets(settings, [partition]).get(partition)


def test_partitions_are_added_while_an_applier_runs(fresh_settings: Settings) -> None:
    settings = fresh_settings
    with running(settings, "applier") as applier, running(settings, "relay"):
        wait_for_results(settings, publish(settings, [_person() for _ in range(20)]))
        admin, topic = make_admin(settings), settings.topic(COMMANDS)
        for future in admin.create_partitions([NewPartitions(topic, 12)]).values():
            future.result()
        forget_producers()  # they learn of new partitions after minutes
        wait_until(lambda: sorted(_assigned(applier.log)) == list(range(12)), 60)
        wait_for_results(settings, publish(settings, [_person(number) for number in range(12)]))
        assert applier.process.poll() is None
        assert_clean(settings)


def _assigned(log: str) -> Counter[int]:
    lines = [orjson.loads(line) for line in log.splitlines() if '"applier.assigned"' in line]
    return Counter(number for line in lines for number in line["partitions"])


def test_offsets_held_by_an_open_transaction_at_start_are_waited_for(fresh_settings: Settings) -> None:
    settings = fresh_settings
    places = publish(settings, [_person(number) for number in range(6)])
    outsider = make_consumer(settings, settings.consumer_group)
    with _transaction(settings) as producer:
        offsets = [TopicPartition(settings.topic(COMMANDS), 0, 0)]
        producer.send_offsets_to_transaction(offsets, outsider.consumer_group_metadata(), 30)
        with running(settings, "applier") as applier:
            applier.wait_for_log('"waits_for": "offsets"')
            producer.abort_transaction(30)
            wait_for_results(settings, places)
            assert applier.process.poll() is None
    outsider.close()


@pytest.mark.parametrize("abort", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_deleted_tail_of_markers_is_not_a_loss(fresh_settings: Settings, abort: bool) -> None:
    settings = fresh_settings
    with running(settings, "applier") as applier:
        wait_for_results(settings, publish(settings, [_person(0)]))
        _in_a_transaction(settings, _person(0), abort=abort)
        end = _end(settings)
        assert end == 3
        wait_until(lambda: _stored(settings) == StoredOffsets(end, end, _id(settings)), 30)
        applier.kill()
    _delete_all(settings)
    with running(settings, "applier"), running(settings, "relay"):
        wait_for_results(settings, publish(settings, [_person(0)]))
        assert _end(settings) == 4


def test_a_record_deleted_before_it_was_applied_is_a_loss(fresh_settings: Settings) -> None:
    settings = fresh_settings
    with running(settings, "applier"):
        _in_a_transaction(settings, _person(0))
        wait_until(lambda: (stored := _stored(settings)) is not None and stored.next_offset == 2, 30)
    publish(settings, [_person(0)])
    _delete_all(settings)
    with running(settings, "applier") as applier:
        assert applier.wait_for_exit() == 2
        assert "offsets 2 to 2 were deleted by retention" in applier.log


def test_a_topic_created_again_is_refused_however_long_it_is(fresh_settings: Settings) -> None:
    settings = fresh_settings
    with running(settings, "applier"):
        wait_for_results(settings, publish(settings, [_person(0) for _ in range(3)]))
    admin, topic = make_admin(settings), settings.topic(COMMANDS)
    for future in admin.delete_topics([topic]).values():
        future.result()
    wait_until(lambda: topic not in existing_topics(admin), 30)
    ensure_topics(settings)
    forget_producers()  # they know the deleted topic's sequence numbers
    publish(settings, [_person(0) for _ in range(5)])
    with running(settings, "applier") as applier:
        assert applier.wait_for_exit() == 2
        assert "the commands topic was deleted and created again" in applier.log
    # As in operations.md: with all appliers stopped, delete the stored offsets of the deleted topic.
    with connect(settings, application_name="operator") as connection:
        connection.execute("DELETE FROM consumed_offsets WHERE topic = %s", (topic,))
    with running(settings, "applier"):
        wait_until(lambda: sum(map(len, results_by_place(settings).values())) == 3 + 5, 60)


@pytest.mark.parametrize("ending", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)])
def test_group_offsets_reset_to_earliest_repeat_nothing(
    fresh_settings: Settings, ending: signal.Signals
) -> None:
    settings = fresh_settings
    undecodable = [Raw(b"no id", b"no command", (), number) for number in range(6)]
    records = [*undecodable, *(_person(number) for number in range(6))]
    with running(settings, "applier") as applier:
        places = publish(settings, records)
        wait_for_results(settings, places)
        if ending == signal.SIGKILL:
            wait_until(lambda: _all_noted(settings), 30)
        applier.process.send_signal(ending)
        applier.wait_for_exit()
    _reset(settings, range(6))
    with running(settings, "applier"), running(settings, "relay"):
        wait_for_results(settings, publish(settings, [_person(number) for number in range(6)]))
    assert {len(found) for found in results_by_place(settings).values()} == {1}
    assert len(read_topic(settings, DEAD_LETTERS)) == len(undecodable)


def _all_noted(settings: Settings) -> bool:
    found = read_stored_offsets(settings, range(6))
    return len(found) == 6 and all(one.results_offset == one.next_offset == 2 for one in found.values())


def _reset(settings: Settings, partitions: Sequence[int]) -> None:
    offsets = [TopicPartition(settings.topic(COMMANDS), number, 0) for number in partitions]
    admin, asked = make_admin(settings), ConsumerGroupTopicPartitions(settings.consumer_group, offsets)

    def done() -> bool:
        # The group of a killed member is not empty until its session times out.
        try:
            found = admin.alter_consumer_group_offsets([asked])[settings.consumer_group].result()
        except Exception:  # noqa: BLE001 - the client raises several
            return False
        return all(place.error is None for place in found.topic_partitions)

    wait_until(done, 60)


def _id(settings: Settings) -> str | None:
    return topic_id(make_admin(settings), settings.topic(COMMANDS))
