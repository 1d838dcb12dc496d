"""One call that sets up publishing: for ``publish``, ``flags set``, ``demo`` and ``dead-letters replay``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import BinaryIO

from cli.kafka_clients import make_silent_producer, make_silent_tail
from cli.publish.command_publisher import CommandPublisher, ReadProblem
from cli.publish.input_lines import InputCommand, LineReader, Unsendable, check_line
from cli.publish.problem_reader import problem_reader
from cli.publish.report import Report
from cli.publish.result_reader import ResultReader
from runtime.settings import Settings
from schemas.topics import COMMANDS, RESULTS


class LineSource:
    """Records from the lines of a stream."""

    def __init__(self, stream: BinaryIO) -> None:
        self._reader = LineReader(stream)

    @property
    def at_end(self) -> bool:
        """The stream is exhausted."""
        return self._reader.at_end

    def take(self, maximum: int, timeout: float) -> list[InputCommand | Unsendable]:
        """Available lines, without the empty ones; waits up to ``timeout`` seconds for the first."""
        lines = self._reader.take(maximum, timeout)
        return [item for number, raw in lines if (item := check_line(number, raw)) is not None]


class ListSource:
    """Records that are in memory."""

    def __init__(self, records: Iterable[InputCommand | Unsendable]) -> None:
        self._records = iter(records)
        self.at_end = False

    def take(self, maximum: int, timeout: float) -> list[InputCommand | Unsendable]:  # noqa: ARG002
        """The next records."""
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
) -> Iterator[CommandPublisher]:
    """A publisher to the commands topic, with its reader of the results topic already positioned.

    :param wait: wait for results; if false, only for the broker's acknowledgement.
    :param timeout: seconds without progress after which the remaining records count as ``unknown``.
    :param max_shown: failures kept in detail.
    :raises Retry: Kafka is unavailable.
    :raises Stop: a topic is missing.
    """
    with make_silent_tail(settings, RESULTS) as tail:
        results = ResultReader(tail) if wait else None
        read_problem: ReadProblem = problem_reader(settings) if wait else lambda _: None
        yield CommandPublisher(
            make_silent_producer(settings),
            results,
            Report(max_shown=max_shown),
            read_problem,
            timeout=timeout,
            topic=settings.topic(COMMANDS),
            on_progress=on_progress,
        )
