"""A result goes out once: what the publisher does when it cannot know, or no longer may."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, TopicPartition

from runtime.settings import Settings
from schemas.errors import Retry
from streams import results_producer
from streams.pipeline import Batch, Flight, HandOver, Pulse
from streams.publisher import Publisher
from streams.results_producer import ResultsProducer


class FakeClient:
    """A transactional client that notes what was called."""

    def __init__(self, on_flush: Callable[[], None] = lambda: None) -> None:
        self.calls: list[str] = []
        self._on_flush = on_flush

    def begin_transaction(self) -> None:
        self.calls.append("begin")

    def produce(self, *_: Any, **__: Any) -> None:
        self.calls.append("produce")

    def flush(self, _timeout: float) -> int:
        self._on_flush()
        return 0

    def send_offsets_to_transaction(self, offsets: Sequence[TopicPartition], *_: Any) -> None:
        self.calls.append(f"offsets {[(at.partition, at.offset) for at in offsets]}")

    def commit_transaction(self, _timeout: float) -> None:
        self.calls.append("commit")

    def abort_transaction(self, _timeout: float) -> None:
        self.calls.append("abort")


class FakeProducer:
    """Stands for ``ResultsProducer``: one client, and group offsets that become readable later."""

    def __init__(self, client: FakeClient, answers: Sequence[dict[int, int] | Retry] = ()) -> None:
        self._client = client
        self.client_turns = 0
        self._answers = list(answers)

    def open(self) -> FakeClient:
        return self._client

    def take_turns(self) -> None:
        self.client_turns += 1

    def published(self, *_: Any) -> dict[int, int]:
        answer = self._answers.pop(0)
        if isinstance(answer, Retry):
            raise answer
        return answer


def _publisher(flight: Flight, producer: FakeProducer, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    monkeypatch.setattr("streams.publisher.result_record", lambda decision, _: (b"key", b"value", []))
    publisher = Publisher(Settings(), lambda *_: b"", flight, HandOver(10), Pulse(), threading.Event())
    publisher._producer = producer  # type: ignore[assignment]
    return publisher


def _batch(*offsets: int) -> Batch:
    decisions = [
        SimpleNamespace(command=SimpleNamespace(record=SimpleNamespace(partition=0, offset=offset)))
        for offset in offsets
    ]
    return Batch(
        epoch=0,
        commands=(),
        starts={0: offsets[0]},
        ends={0: offsets[-1] + 1},
        decisions=decisions,  # type: ignore[arg-type]
    )


def test_a_batch_that_is_lost_while_it_is_sent_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    flight = Flight()

    def lose_and_win_back() -> None:
        flight.epoch += 1
        flight.membership = "newest"  # the broker would take offsets under it

    client = FakeClient(lose_and_win_back)
    _publisher(flight, FakeProducer(client), monkeypatch)._publish([_batch(7, 8)])
    assert client.calls == ["begin", "produce", "produce", "abort"]


def test_nothing_is_sent_while_an_earlier_transaction_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient()
    producer = FakeProducer(client, [Retry("unstable"), Retry("unstable"), {0: 8}])
    publisher = _publisher(Flight(), producer, monkeypatch)
    publisher._unsure = True
    publisher._publish([_batch(7, 8)])
    assert client.calls == ["begin", "produce", "offsets [(0, 9)]", "commit"], "offset 7 was published before"


def test_an_open_transaction_does_not_read_as_nothing_published(monkeypatch: pytest.MonkeyPatch) -> None:
    unstable = SimpleNamespace(partition=0, offset=-1001, error=KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT))
    found: Future[Any] = Future()
    found.set_result(SimpleNamespace(topic_partitions=[unstable]))

    class Admin:
        def list_consumer_group_offsets(
            self, asked: list[ConsumerGroupTopicPartitions], **_: Any
        ) -> dict[str, Future[Any]]:
            return {asked[0].group_id: found}

    monkeypatch.setattr(results_producer, "make_admin", lambda _: Admin())
    producer = ResultsProducer(Settings(), Pulse(), threading.Event())
    with pytest.raises(Retry, match="partition 0"):
        producer.published("group", "commands", [0])


def test_results_that_are_known_already_wait_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = _publisher(Flight(), FakeProducer(FakeClient()), monkeypatch)
    known, also_known, awaited, later = (_batch(number) for number in range(4))
    monkeypatch.setattr(
        "streams.publisher.all_told", lambda of: of in (known.decisions, also_known.decisions)
    )
    for batch in (also_known, awaited):
        publisher._applied.put(batch)
    assert publisher._more([known]) == [also_known, awaited]
    publisher._applied.put(later)
    assert publisher._more([awaited]) == [], "somebody waits for it"
    assert publisher._more([known]) == [later]
    assert publisher._more([known]) == [], "nothing came for a moment"
