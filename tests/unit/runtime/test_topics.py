"""Topic administration: new topics that no broker leads yet, and errors that pass."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from runtime import topics
from runtime.settings import Settings
from schemas.errors import Retry, Stop


class Broker:
    """Lists new topics at once, and leads the second partition of each from the third question on."""

    def __init__(self) -> None:
        self.listed: dict[str, Any] = {}
        self.questions = 0

    def list_topics(self, timeout: float) -> Any:
        return SimpleNamespace(topics=self.listed)

    def create_topics(self, wanted: list[Any], operation_timeout: float) -> dict[str, Future[None]]:
        done: Future[None] = Future()
        done.set_result(None)
        for topic in wanted:
            self.listed[topic.topic] = SimpleNamespace(error=None, partitions=range(topic.num_partitions))
        return {topic.topic: done for topic in wanted}

    def list_offsets(
        self, asked: dict[TopicPartition, Any], request_timeout: float
    ) -> dict[TopicPartition, Future[Any]]:
        self.questions += 1
        answers = {}
        for partition in asked:
            future = answers[partition] = Future[Any]()
            if partition.partition == 1 and self.questions < 3:
                future.set_exception(KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION)))
            else:
                future.set_result(SimpleNamespace(offset=0))
        return answers


def test_new_topics_are_served_when_the_call_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    monkeypatch.setattr(topics, "make_admin", lambda _: broker)
    assert topics.ensure_topics(Settings())
    assert broker.questions == 3


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError.NOT_LEADER_FOR_PARTITION, Retry),
        (KafkaError.NOT_COORDINATOR, Retry),
        (KafkaError._TRANSPORT, Retry),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Stop),
        (KafkaError.INVALID_REPLICATION_FACTOR, Stop),
    ],
)
def test_an_error_that_passes_is_no_reason_to_stop(code: int, kind: type[Exception]) -> None:
    assert type(topics.broker_error(KafkaError(code), "the topics cannot be listed")) is kind
