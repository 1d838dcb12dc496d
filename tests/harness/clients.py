"""Kafka clients that the tests of a session share: making one takes half a second of waiting."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from confluent_kafka import KafkaException, Producer

from runtime.kafka import make_producer
from runtime.settings import Settings
from schemas.topics import RESULTS
from tests.harness.topic_reader import Received, TopicReader, place_of_result

Place = tuple[int, int]

_producers: dict[str, Producer] = {}
_result_logs: dict[str, ResultLog] = {}


class ResultLog:
    """The results topic of one world, read on with every wait."""

    def __init__(self, settings: Settings) -> None:
        self._reader = TopicReader(settings, RESULTS)
        self._lock = threading.Lock()
        self._found: dict[Place, list[Received]] = {}

    def wait(self, places: Sequence[Place], seconds: float) -> dict[Place, list[Received]]:
        """Wait for a result of each command, then read on once, in which a second one would be found.

        :param places: partitions and offsets of the commands.
        """
        deadline = time.monotonic() + seconds
        while missing := [place for place in places if place not in self._found]:
            if time.monotonic() > deadline:
                raise AssertionError(f"timed out after {seconds} s: no results for {sorted(missing)[:5]}…")
            with self._lock:
                self._add(list(self._reader.read()))
        with self._lock:
            self._add(list(self._reader.read()))
            return dict(self._found)

    def close(self) -> None:
        """Close the consumer."""
        self._reader.close()

    def _add(self, results: Sequence[Received]) -> None:
        for record in results:
            self._found.setdefault(place_of_result(record), []).append(record)


def shared_producer(settings: Settings) -> Producer:
    """The producer for these servers and options."""
    key = f"{settings.kafka_bootstrap_servers} {settings.kafka_options}"
    if key not in _producers:
        _producers[key] = make_producer(settings)
    return _producers[key]


def wait_for_places(
    settings: Settings, places: Sequence[Place], seconds: float
) -> dict[Place, list[Received]]:
    """Wait for the results of commands; a reader that fails is replaced at the next wait."""
    key = _world(settings)
    if key not in _result_logs:
        _result_logs[key] = ResultLog(settings)
    try:
        return _result_logs[key].wait(places, seconds)
    except KafkaException:
        forget_results(settings)
        raise


def forget_producers() -> None:
    """Make new producers from now on: the servers, or topics of the same names, are others."""
    _producers.clear()


def forget_results(settings: Settings) -> None:
    """Close the reader of a world."""
    log = _result_logs.pop(_world(settings), None)
    if log is not None:
        log.close()


def _world(settings: Settings) -> str:
    return f"{settings.kafka_bootstrap_servers} {settings.topic(RESULTS)}"
