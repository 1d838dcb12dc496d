"""Publishing as one call: what ``interactions publish``, ``demo`` and ``dead-letters replay`` share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO

from cli.kafka_clients import SILENT
from cli.publish.command_publisher import Publisher, ReadProblem
from cli.publish.input_lines import LineReader, Outgoing, Unsendable, check_line
from cli.publish.problem_reader import problem_reader
from cli.publish.report import Report
from cli.publish.result_reader import OutcomeWatch
from runtime.kafka import make_consumer, make_producer
from runtime.settings import Settings
from schemas.topics import COMMANDS, RESULTS


class LineSource:
    """The checked lines of a stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._reader = LineReader(stream)

    @property
    def at_end(self) -> bool:
        """Nothing more will come."""
        return self._reader.at_end

    def take(self, maximum: int, timeout: float) -> list[Outgoing | Unsendable]:
        """What is there now, without the empty lines."""
        lines = self._reader.take(maximum, timeout)
        return [item for number, raw in lines if (item := check_line(number, raw)) is not None]


class RecordSource:
    """Records that are there already."""

    def __init__(self, records: Iterable[Outgoing | Unsendable]) -> None:
        self._records = iter(records)
        self.at_end = False

    def take(self, maximum: int, timeout: float) -> list[Outgoing | Unsendable]:  # noqa: ARG002
        """The next ones."""
        taken = list(islice(self._records, maximum))
        self.at_end = len(taken) < maximum
        return taken


@contextmanager
def publishing(
    settings: Settings,
    *,
    wait: bool = True,
    timeout: float = 30.0,
    max_shown: int = 10,
    on_progress: Callable[[Report], None] = lambda _: None,
) -> Iterator[Publisher]:
    """A publisher to the commands topic, its results watch already in place.

    :param wait: for outcomes; without, only for the broker's acknowledgement.
    :param timeout: seconds without progress after which the rest is ``unknown``.
    :param max_shown: failures kept in detail.
    :raises Retry: the broker does not answer.
    :raises Stop: a topic is missing.
    """
    consumer = make_consumer(
        settings,
        f"interactions-publish-{os.getpid()}",
        **{"enable.auto.offset.store": False, "logger": SILENT},
    )
    try:
        watch = OutcomeWatch(consumer, settings.topic(RESULTS)) if wait else None
        read_problem: ReadProblem = problem_reader(settings) if wait else lambda _: None
        yield Publisher(
            make_producer(settings, logger=SILENT),
            watch,
            Report(max_shown=max_shown),
            read_problem,
            timeout=timeout,
            topic=settings.topic(COMMANDS),
            on_progress=on_progress,
        )
    finally:
        consumer.close()
