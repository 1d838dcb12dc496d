"""Kafka clients of short-lived commands: no consumer group, no log output."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from confluent_kafka import KafkaException, Producer

from runtime.kafka import make_producer
from runtime.settings import Settings
from runtime.topic_tail import TopicTail
from schemas.errors import Retry

#: librdkafka logs a line per failed connection attempt; a command reports one error at the end instead.
_SILENT: Final = logging.getLogger("kafka.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


@contextmanager
def reading(settings: Settings, topic: str) -> Iterator[TopicTail]:
    """A reader of a topic in the catalogue.

    :raises Retry: Kafka is unavailable, or a partition cannot be read.
    """
    with make_silent_tail(settings, topic) as tail:
        try:
            yield tail
        except KafkaException as failure:
            raise Retry(f"Cannot read {tail.name}: {failure.args[0].str()}; retry.") from failure


def make_silent_tail(settings: Settings, topic: str) -> TopicTail:
    """A reader of committed records without log output."""
    return TopicTail(settings, topic, options={"logger": _SILENT})


def make_silent_producer(settings: Settings) -> Producer:
    """A producer without log output."""
    return make_producer(settings, logger=_SILENT)
