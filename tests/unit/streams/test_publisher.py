"""A result goes out once: what the publisher does when it cannot know, or no longer may."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import orjson
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition

from domain.decide import fold
from domain.unit_of_work import UnitOfWork
from runtime.settings import Settings
from schemas.decode import decode_record
from schemas.errors import Retry, Stop
from schemas.incoming_record import IncomingRecord
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import RESULTS
from streams import transactional_producer as results_producer
from streams.applier.batches import Batch, BatchQueue, InFlight
from streams.applier.publisher import Publisher
from streams.heartbeat import Heartbeat
from streams.transactional_producer import TransactionalProducer


class FakeClient:
    """A transactional client that notes what was called."""

    def __init__(self, on_flush: Callable[[], None] = lambda: None) -> None:
        self.calls: list[str] = []
        self._on_flush = on_flush

    def begin_transaction(self) -> None:
        self.calls.append("begin")

    def produce(self, *_: Any, on_delivery: Any, **__: Any) -> None:
        self.calls.append("produce")
        on_delivery(None, None)

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
    """Stands for ``TransactionalProducer``: one client, and group offsets that become readable later."""

    def __init__(self, client: FakeClient, answers: Sequence[dict[int, int] | Retry] = ()) -> None:
        self._client = client
        self._answers = list(answers)

    def open(self) -> FakeClient:
        return self._client

    def commit(self, client: FakeClient) -> None:
        client.commit_transaction(0.0)

    def aborted(self, client: FakeClient) -> bool:
        client.abort_transaction(0.0)
        return True

    def published(self, *_: Any) -> dict[int, int]:
        answer = self._answers.pop(0)
        if isinstance(answer, Retry):
            raise answer
        return answer


def _publisher(in_flight: InFlight, producer: FakeProducer, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    result = OutgoingRecord(RESULTS, b"key", b"value")
    monkeypatch.setattr("streams.applier.publisher.result_record", lambda *_: result)
    publisher = Publisher(
        Settings(), lambda *_: b"", in_flight, BatchQueue(10), Heartbeat(), threading.Event()
    )
    publisher._producer = producer  # type: ignore[assignment]
    return publisher


def _batch(*offsets: int) -> Batch:
    decisions = [
        SimpleNamespace(command=SimpleNamespace(record=SimpleNamespace(partition=0, offset=offset)))
        for offset in offsets
    ]
    return Batch(
        generation=0,
        commands=(),
        starts={0: offsets[0]},
        ends={0: offsets[-1] + 1},
        decisions=decisions,  # type: ignore[arg-type]
    )


def test_a_batch_that_is_lost_while_it_is_sent_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    in_flight = InFlight()

    def lose_and_win_back() -> None:
        in_flight.generation += 1
        in_flight.membership = "newest"  # the broker would take offsets under it

    client = FakeClient(lose_and_win_back)
    _publisher(in_flight, FakeProducer(client), monkeypatch)._publish([_batch(7, 8)])
    assert client.calls == ["begin", "produce", "produce", "abort"]


def test_nothing_is_sent_while_an_earlier_transaction_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    client = FakeClient()
    producer = FakeProducer(client, [Retry("unstable"), Retry("unstable"), {0: 8}])
    publisher = _publisher(InFlight(), producer, monkeypatch)
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
    producer = TransactionalProducer(
        Settings(), "applier", "publisher", Mock(), Heartbeat(), threading.Event()
    )
    with pytest.raises(Retry, match="partition 0"):
        producer.published("group", "commands", [0])


def test_results_that_are_known_already_wait_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = _publisher(InFlight(), FakeProducer(FakeClient()), monkeypatch)
    known, also_known, awaited, later = (_batch(number) for number in range(4))
    monkeypatch.setattr(
        "streams.applier.publisher.all_notified", lambda of: of in (known.decisions, also_known.decisions)
    )
    for batch in (also_known, awaited):
        publisher._applied.put(batch)
    assert publisher._linger([known]) == [also_known, awaited]
    publisher._applied.put(later)
    assert publisher._linger([awaited]) == [], "a caller waits for it"
    assert publisher._linger([known]) == [later]
    assert publisher._linger([known]) == [], "nothing came for a moment"


class Picky(FakeClient):
    """Refuses values of more than some bytes, at once or when they are delivered."""

    def __init__(
        self, most: int, *, code: int = KafkaError.MSG_SIZE_TOO_LARGE, at_once: bool = False
    ) -> None:
        super().__init__()
        self._most = most
        self._code = code
        self._at_once = at_once
        self.values: list[tuple[str, bytes]] = []

    def begin_transaction(self) -> None:
        super().begin_transaction()
        self.values = []

    def produce(self, *names: str, on_delivery: Any, **options: Any) -> None:
        (topic,), value = names, options["value"]
        self.values.append((topic.rpartition(".")[2], value or b""))
        error = KafkaError(self._code) if len(value or b"") > self._most else None
        if error is not None and self._at_once:
            raise KafkaException(error)
        on_delivery(error, None)


def _dead(offset: int, size: int) -> Any:
    record = IncomingRecord("commands", 0, offset, 1_800_000_000_000, b"key", b"x" * size, ())
    return fold(UnitOfWork(), [decode_record(record, lambda _: ("", {}))])[0]


def _real(in_flight: InFlight, client: FakeClient) -> Publisher:
    publisher = Publisher(Settings(), orjson.dumps, in_flight, BatchQueue(10), Heartbeat(), threading.Event())
    publisher._producer = FakeProducer(client)  # type: ignore[assignment]
    return publisher


@pytest.mark.parametrize("at_once", [False, True], ids=["by the broker", "by the client"])
def test_a_dead_letter_that_is_refused_goes_out_without_its_value(at_once: bool) -> None:
    client = Picky(5_000, at_once=at_once)
    batch = Batch(0, (), {0: 0}, {0: 3}, [_dead(0, 4_000), _dead(1, 6_000), _dead(2, 10)])
    assert _real(InFlight(), client)._publish([batch])
    assert [len(value) for topic, value in client.values if topic == "dead-letters"] == [4_000, 0, 10]
    assert len([1 for topic, _ in client.values if topic == "results"]) == 3
    assert client.calls == ["begin", "abort", "begin", "offsets [(0, 3)]", "commit"]


def test_a_result_that_is_refused_goes_out_without_its_details() -> None:
    client = Picky(1_500)
    decision = _dead(0, 10)
    assert decision.facts.problem is not None
    decision.facts.problem["detail"] = "d" * 5_000
    assert _real(InFlight(), client)._publish([Batch(0, (), {0: 0}, {0: 1}, [decision])])
    (value,) = [orjson.loads(value) for topic, value in client.values if topic == "results"]
    assert (value["outcome"], value["commandOffset"]) == ("rejected", 0)
    assert value["warnings"][0]["code"] == "result_incomplete"


def test_what_is_refused_in_any_form_ends_the_process_and_says_where() -> None:
    client = Picky(0, code=KafkaError.POLICY_VIOLATION)
    with pytest.raises(Stop, match="partition 0, offset 5"):
        _real(InFlight(), client)._publish([Batch(0, (), {0: 5}, {0: 6}, [_dead(5, 10)])])


def test_a_stored_outcome_that_cannot_be_encoded_goes_out_without_its_details() -> None:
    def encode(result: dict[str, Any]) -> bytes:
        if result["problem"]["errors"] or not result["warnings"]:
            raise ValueError
        return b"bare"

    client = Picky(100)
    publisher = _real(InFlight(), client)
    publisher._encode = encode
    assert publisher._publish([Batch(0, (), {0: 0}, {0: 1}, [_dead(0, 10)])])
    assert ("results", b"bare") in client.values


class Refusing(FakeClient):
    """Cannot commit while the process is told to stop."""

    def __init__(self, stop: threading.Event) -> None:
        super().__init__()
        self._stop = stop

    def begin_transaction(self) -> None:
        self._stop.set()
        raise KafkaException(KafkaError(KafkaError._STATE))


def test_no_later_offsets_pass_a_batch_that_is_given_up() -> None:
    in_flight, client = InFlight(), FakeClient()
    publisher = _real(in_flight, client)
    publisher._producer = FakeProducer(Refusing(publisher._stop))  # type: ignore[assignment]
    first, later = Batch(0, (), {0: 0}, {0: 1}, [_dead(0, 10)]), Batch(0, (), {0: 1}, {0: 2}, [_dead(1, 10)])
    for batch in (first, later):
        in_flight.depart()
        publisher._applied.put(batch)
    publisher._stop.set()
    in_flight.close()
    publisher.run()
    publisher._producer = FakeProducer(client)  # type: ignore[assignment]
    assert publisher._publish([later]), "void: there is nothing left to do"
    assert client.calls == []
