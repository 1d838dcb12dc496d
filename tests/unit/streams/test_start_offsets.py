"""Start offset of an assigned partition, and reasons not to read it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime.settings import Settings
from schemas.errors import Retry, Stop
from sinks.consumed_offsets import StoredOffsets
from streams.applier import start_offsets
from streams.applier.start_offsets import Start, StartOffsets, start_offset
from streams.heartbeat import Heartbeat
from streams.partition_ends import PartitionEnds

_LOG = PartitionEnds(low=0, stable=100, high=100)


def test_the_smaller_of_applied_and_published_is_read_from() -> None:
    assert start_offset(0, _LOG, StoredOffsets(50, 30), 40) == Start(40, 40)
    assert start_offset(0, _LOG, None, None) == Start(0, 0)


def test_group_offsets_that_were_reset_or_have_expired_repeat_no_result() -> None:
    assert start_offset(0, _LOG, StoredOffsets(50, 50), 0) == Start(50, 50)
    assert start_offset(0, _LOG, StoredOffsets(50, 45), None) == Start(45, 45)


def test_offsets_ahead_of_a_restored_database_do_not_count() -> None:
    assert start_offset(0, _LOG, StoredOffsets(50, 50), 90) == Start(50, 50)


def test_results_whose_commands_are_deleted_are_passed_over() -> None:
    assert start_offset(0, PartitionEnds(48, 100, 100), StoredOffsets(50, 30), 30) == Start(48, 30)


def test_an_emptied_log_whose_end_is_applied_is_no_loss() -> None:
    assert start_offset(0, PartitionEnds(50, 50, 50), StoredOffsets(50, 50), 49) == Start(50, 50)


def test_records_deleted_before_they_were_applied_are_a_loss() -> None:
    with pytest.raises(Stop, match="offsets 50 to 59 were deleted by retention"):
        start_offset(3, PartitionEnds(60, 60, 60), StoredOffsets(50, 50), 50)


def test_a_shorter_log_is_refused() -> None:
    with pytest.raises(Stop, match="ends at offset 100"):
        start_offset(0, _LOG, StoredOffsets(101, 101), 101)


def test_a_topic_created_again_is_refused_however_long_it_is() -> None:
    with pytest.raises(Stop, match="deleted and created again"):
        start_offset(0, _LOG, StoredOffsets(50, 50, "old"), None, "new")
    assert start_offset(0, _LOG, StoredOffsets(50, 50, "old"), None, "old") == Start(50, 50)
    assert start_offset(0, _LOG, StoredOffsets(50, 50), None, "new") == Start(50, 50)


class _Consumer:
    """Gives the group's offsets, each answer once and the last one from then on."""

    def __init__(self, *answers: KafkaError | int) -> None:
        self._answers = list(answers)

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[Any]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, KafkaError):
            raise KafkaException(answer)
        return [TopicPartition(part.topic, part.partition, answer) for part in partitions]


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(start_offsets, "make_admin", lambda _: None)
    monkeypatch.setattr(start_offsets, "topic_id", lambda *_: "id")
    monkeypatch.setattr(start_offsets, "read_stored_offsets", lambda *_: {0: StoredOffsets(50, 20)})
    monkeypatch.setattr(start_offsets, "begin_partitions", lambda *_: None)
    monkeypatch.setattr(start_offsets, "partition_ends", lambda *_: {0: _LOG})
    return monkeypatch


def _find(consumer: Any, stop: threading.Event | None = None) -> dict[int, Start]:
    positions = StartOffsets(Settings(), Heartbeat(), stop or _Impatient(), lambda: None)
    return positions.find(consumer, [TopicPartition("t", 0)])


class _Impatient(threading.Event):
    """Waits for nothing, and is never set."""

    def wait(self, timeout: float | None = None) -> bool:
        return False


@pytest.mark.usefixtures("servers")
def test_offsets_held_by_an_open_transaction_are_waited_for() -> None:
    held, silent = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT), KafkaError(KafkaError._TIMED_OUT)
    assert _find(_Consumer(*[held, silent] * 20, 40)) == {0: Start(40, 40)}


@pytest.mark.parametrize(
    "code", [KafkaError._UNKNOWN_PARTITION, KafkaError._NOENT], ids=["added", "leaderless"]
)
def test_partitions_without_an_answer_yet_are_waited_for(servers: pytest.MonkeyPatch, code: int) -> None:
    answers: list[KafkaError | None] = [KafkaError(code)] * 5

    def ends(*_: object) -> dict[int, PartitionEnds]:
        if answers:
            error = answers.pop()
            raise KafkaException(error)
        return {0: _LOG}

    servers.setattr(start_offsets, "partition_ends", ends)
    assert _find(_Consumer(40)) == {0: Start(40, 40)}


@pytest.mark.usefixtures("servers")
def test_a_refusal_for_good_is_not_waited_for() -> None:
    with pytest.raises(KafkaException):
        _find(_Consumer(KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)))


@pytest.mark.usefixtures("servers")
def test_a_stop_ends_the_waiting() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Retry, match="asked to stop"):
        _find(_Consumer(KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)), stop)
