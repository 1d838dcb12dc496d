"""Listens to the results topic from now on: every outcome, as soon as its rows are committed."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from runtime.kafka import headers_of, make_consumer
from runtime.settings import Settings
from runtime.supervised_thread import end_process, supervised
from schemas.errors import InteractionsError, Stop
from schemas.topics import RESULTS

_log = structlog.get_logger("outcome_listener")
_ASK_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One result by its headers, its value still encoded.

    :param partition: of the results topic; with ``offset`` the position of an event stream. Those of another
        listener are counted on from its ``first_partition``.
    :param correlation_id: what the sender of the command gave, to find its own.
    :param fresh: written after the listener started; older ones are there for resumption.
    """

    partition: int
    offset: int
    correlation_id: str | None
    tenant_id: str | None
    organization_id: str | None
    outcome: str
    value: bytes
    fresh: bool


class ResultConsumer:
    """One consumer of all partitions of the results topic, in a thread of its own.

    It reads uncommitted records: a result is sent only after the rows are committed, so it is true even
    when the transaction that carries it is aborted and sent again (decisions, "Two positions").

    :param heard: called in the listener's thread with what has arrived, in order for each partition.
    :param backlog: how many older results of each partition to hear first.
    """

    #: What is listened to, by its name in the catalogue.
    topic: str = RESULTS
    #: Added to the numbers of partitions, so that two listeners may share one position.
    first_partition: int = 0

    def __init__(self, settings: Settings, heard: Callable[[list[Heard]], None], *, backlog: int = 0) -> None:
        self._settings = settings
        self._topic = settings.topic(self.topic)
        self._heard = heard
        self._backlog = backlog
        self._stop = threading.Event()
        name = f"listener of {self.topic}"
        self._thread = supervised(name, self._run, stopping=self._stop.is_set, failed=end_process(name))
        #: partition → the offset from which on everything is heard.
        self.starts: dict[int, int] = {}
        #: partition → the end when the listener took it on.
        self.ends: dict[int, int] = {}
        #: Set when every later outcome will be heard.
        self.ready = threading.Event()

    def start(self) -> None:
        """Begin to listen; ``ready`` says when."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10.0)

    def _run(self) -> None:
        consumer = make_consumer(
            self._settings,
            f"interactions-gateway-{os.getpid()}",
            **{
                "isolation.level": "read_uncommitted",
                "auto.offset.reset": "latest",
                "enable.auto.offset.store": False,
                "fetch.wait.max.ms": 100,
                "allow.auto.create.topics": False,
            },
        )
        try:
            look_at = 0.0
            while not self._stop.is_set():
                if time.monotonic() >= look_at:
                    found = self._take_on(consumer)
                    look_at = time.monotonic() + (_LOOK_AGAIN_SECONDS if found else 0.5)
                self._pass_on(consumer)
        finally:
            consumer.close()

    def _take_on(self, consumer: Consumer) -> bool:
        """Assign the partitions that are not ours yet; whether the topic could be read."""
        try:
            metadata = consumer.list_topics(self._topic, timeout=_ASK_SECONDS).topics[self._topic]
            if metadata.error is not None or not metadata.partitions:
                raise Stop(f"the topic {self._topic} does not exist")
            fresh = []
            for number in sorted(
                {self.first_partition + one for one in metadata.partitions} - set(self.ends)
            ):
                place = TopicPartition(self._topic, number - self.first_partition)
                low, end = consumer.get_watermark_offsets(place, timeout=_ASK_SECONDS)
                # A partition that was added while we listened is ours from its first record on.
                late = self.ready.is_set()
                self.starts[number] = place.offset = low if late else max(low, end - self._backlog)
                self.ends[number] = low if late else end
                fresh.append(place)
            if fresh:
                consumer.incremental_assign(fresh)
        except (KafkaException, InteractionsError) as failure:
            if not self.ready.is_set():
                _log.warning("gateway.results_unavailable", reason=str(failure))
                self._stop.wait(0.5)
            return False
        self.ready.set()
        return True

    def _pass_on(self, consumer: Consumer) -> None:
        # consume(n) would wait for n records: take one when it comes, then what is there.
        messages = consumer.consume(1, 0.25)
        if messages:
            messages += consumer.consume(1000, 0)
        found = [item for message in messages if (item := self._read(message)) is not None]
        if found:
            self._heard(found)

    def _read(self, message: Message) -> Heard | None:
        error = message.error()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001
                _log.warning("gateway.results_interrupted", reason=error.name())
            return None
        raw = headers_of(message) or []
        headers = {name: value for name, value in raw if isinstance(value, bytes)}
        outcome = self.outcome_of(headers)
        if outcome is None:
            return None
        partition, offset = self.first_partition + int(message.partition() or 0), int(message.offset() or 0)
        return Heard(
            partition=partition,
            offset=offset,
            correlation_id=_text(headers.get("ce_correlationid")),
            tenant_id=_text(headers.get("ce_tenantid")),
            organization_id=_text(headers.get("ce_organizationid")),
            outcome=outcome,
            value=message.value() or b"",
            fresh=offset >= self.ends.get(partition, 0),
        )

    @staticmethod
    def outcome_of(headers: Mapping[str, bytes]) -> str | None:
        """What a record says has come of something; ``None``: it is passed over."""
        return _text(headers.get("ce_outcome"))


def _text(value: bytes | None) -> str | None:
    return value.decode(errors="replace") if value is not None else None
