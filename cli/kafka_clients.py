"""Kafka clients of short-lived commands: no consumer group, no log output."""

from __future__ import annotations

import logging
import os
from typing import Final

from confluent_kafka import Consumer, Producer

from runtime.kafka import make_consumer, make_producer
from runtime.settings import Settings

#: librdkafka logs a line per failed connection attempt; a command reports one error at the end instead.
_SILENT: Final = logging.getLogger("kafka.silent")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


def make_reader(settings: Settings, purpose: str) -> Consumer:
    """A consumer of committed records that assigns its partitions itself and stores no offsets."""
    group = f"interactions-{purpose}-{os.getpid()}"
    return make_consumer(settings, group, **{"enable.auto.offset.store": False, "logger": _SILENT})


def make_silent_producer(settings: Settings) -> Producer:
    """A producer without log output."""
    return make_producer(settings, logger=_SILENT)
