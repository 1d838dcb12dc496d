"""Publish commands and collect the result of each: the loop behind every publishing command."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from cli.publish.input_lines import InputCommand, Unsendable
from cli.publish.report import Rejection, Report
from cli.publish.result_reader import ResultRecord
from runtime.produce import produce
from schemas.errors import Retry
from schemas.topics import COMMANDS

#: Reads the problem object of a result record; ``None`` when it has none.
ReadProblem = Callable[[ResultRecord], dict[str, Any] | None]

_BATCH_RECORDS: Final = 500
_WAIT_SECONDS: Final = 0.05
_CLOSE_SECONDS: Final = 5.0
#: Delivery errors that guarantee the record is not in the log. After any other error it may be.
_NEVER_WRITTEN: Final = frozenset(
    {
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError._PURGE_QUEUE,  # noqa: SLF001
    }
)


class RecordSource(Protocol):
    """Source of the records to publish."""

    @property
    def at_end(self) -> bool:
        """The source is exhausted."""

    def take(self, maximum: int, timeout: float) -> list[InputCommand | Unsendable]:
        """Available records, at most ``maximum``; waits up to ``timeout`` seconds for the first."""


class ResultSource(Protocol):
    """Source of result records."""

    def take(self, timeout: float) -> list[ResultRecord]:
        """Results that have arrived; waits up to ``timeout`` seconds for the first."""


class CommandPublisher:
    """Publish every record of a source once and account for each in a ``Report``.

    Memory is bounded: at most ``window`` records are without a result at any time.

    :param results: positioned on the results topic before the first record is sent; ``None`` to wait for
        broker acknowledgements only.
    :param timeout: seconds without progress after which the remaining records count as ``unknown``.
    :param on_progress: called with the report about twenty times per second.
    """

    def __init__(
        self,
        producer: Producer,
        results: ResultSource | None,
        report: Report,
        read_problem: ReadProblem,
        *,
        timeout: float = 30.0,
        window: int = 20_000,
        topic: str = COMMANDS,
        on_progress: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self._producer = producer
        self._results = results
        self._report = report
        self._read_problem = read_problem
        self._timeout = timeout
        self._window = window
        self._topic = topic
        self._on_progress = on_progress
        #: line → record that the broker has not acknowledged.
        self._unacknowledged: dict[int, InputCommand] = {}
        self._unacknowledged_ids: Counter[str | None] = Counter()
        #: (partition, offset) → line that is acknowledged and has no result yet.
        self._awaiting_result: dict[tuple[int, int], int] = {}
        #: (partition, offset) → result that arrived before the acknowledgement.
        self._early_results: dict[tuple[int, int], ResultRecord] = {}

    def run(self, source: RecordSource) -> Report:
        """Publish everything; return when each record has a result, or after ``timeout`` without progress.

        Ctrl-C, or an input or results topic that can no longer be read, ends the run early: the report then
        holds what is known so far.
        """
        started = time.monotonic()
        try:
            self._send_and_collect(source)
        except KeyboardInterrupt:
            self._report.interrupted = True
        except Retry as error:
            self._report.failure = str(error)
        self._count_unresolved(source)
        self._report.seconds = time.monotonic() - started
        self._on_progress(self._report)
        return self._report

    def _send_and_collect(self, source: RecordSource) -> None:
        last_progress = time.monotonic()
        progress_shown = 0.0
        while self._reading(source) or self._outstanding():
            before = self._progress()
            free = self._window - self._outstanding()
            if free > 0 and self._reading(source):
                self._send(source, min(free, _BATCH_RECORDS), 0.0 if self._outstanding() else _WAIT_SECONDS)
            self._producer.poll(0)
            self._collect(idle=before == self._progress())
            now = time.monotonic()
            if before != self._progress() or not self._outstanding():
                last_progress = now
            elif now - last_progress > self._timeout:
                return
            if now - progress_shown > _WAIT_SECONDS:
                progress_shown = now
                self._on_progress(self._report)

    def _progress(self) -> tuple[int, int, int]:
        return self._report.lines, self._report.completed, len(self._unacknowledged)

    def _reading(self, source: RecordSource) -> bool:
        return not source.at_end and self._report.failure is None

    def _outstanding(self) -> int:
        return len(self._unacknowledged) + len(self._awaiting_result)

    def _send(self, source: RecordSource, maximum: int, timeout: float) -> None:
        try:
            items = source.take(maximum, timeout)
        except OSError as error:
            # Results of the records already sent are still collected.
            self._report.failure = f"cannot read the input: {error.strerror or error}"
            return
        for item in items:
            self._report.lines += 1
            if isinstance(item, Unsendable):
                self._report.add_unsendable(item)
            else:
                self._produce(item)

    def _produce(self, item: InputCommand) -> None:
        self._unacknowledged[item.number] = item
        self._unacknowledged_ids[item.command_id] += 1

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._on_delivery(item, error, message)

        try:
            produce(self._producer, self._topic, item.record, delivered)
        except KafkaException as failure:
            self._acknowledge(item)
            self._fail(item, failure.args[0])

    def _acknowledge(self, item: InputCommand) -> None:
        del self._unacknowledged[item.number]
        self._unacknowledged_ids[item.command_id] -= 1
        if not self._unacknowledged_ids[item.command_id]:
            del self._unacknowledged_ids[item.command_id]

    def _on_delivery(self, item: InputCommand, error: KafkaError | None, message: Message) -> None:
        if item.number not in self._unacknowledged:
            return  # already counted as unknown
        self._acknowledge(item)
        if error is not None:
            self._fail(item, error)
            return
        if self._results is None:
            self._report.accepted += 1
            return
        location = (int(message.partition() or 0), int(message.offset() or 0))
        early = self._early_results.pop(location, None)
        if early is None:
            self._awaiting_result[location] = item.number
        else:
            self._complete(item.number, early)
        if not self._unacknowledged:
            self._early_results.clear()

    def _fail(self, item: InputCommand, error: KafkaError) -> None:
        if error.code() in _NEVER_WRITTEN:
            code = error.name().lower().strip("_")
            self._report.add_unsendable(Unsendable(item.number, code, f"Kafka refused it: {error.str()}"))
        else:
            self._report.add_unknown(item.number)

    def _collect(self, idle: bool) -> None:
        if self._results is None:
            if idle and self._unacknowledged:
                self._producer.poll(_WAIT_SECONDS)
            return
        for result in self._results.take(_WAIT_SECONDS if idle and self._outstanding() else 0.0):
            number = self._awaiting_result.pop((result.partition, result.offset), None)
            if number is not None:
                self._complete(number, result)
            elif self._may_answer_unacknowledged(result):
                # A result can arrive before the broker's acknowledgement of its command.
                self._early_results[result.partition, result.offset] = result

    def _may_answer_unacknowledged(self, result: ResultRecord) -> bool:
        """True if the result may be for an unacknowledged record; an invalid command id shows as ``None``."""
        if result.command_id is None or None in self._unacknowledged_ids:
            return bool(self._unacknowledged)
        return result.command_id in self._unacknowledged_ids

    def _complete(self, number: int, result: ResultRecord) -> None:
        self._report.outcomes[result.outcome] += 1
        if result.outcome == "rejected" and self._report.wants_rejection():
            problem = self._read_problem(result) or {}
            self._report.rejections.append(Rejection(number, result.command_id, problem))

    def _count_unresolved(self, source: RecordSource) -> None:
        """Account for the rest: queued records are withdrawn and not sent, all others are unknown."""
        if self._unacknowledged:
            self._producer.purge(in_flight=False)
            self._producer.flush(_CLOSE_SECONDS)
            for number in list(self._unacknowledged):
                self._acknowledge(self._unacknowledged[number])
                self._report.add_unknown(number)
        for number in self._awaiting_result.values():
            self._report.add_unknown(number)
        self._awaiting_result.clear()
        while self._reading(source):
            rest = source.take(_BATCH_RECORDS, 0.0)
            if not rest:
                break
            for item in rest:
                self._report.lines += 1
                fault = item if isinstance(item, Unsendable) else None
                self._report.add_unsendable(
                    fault or Unsendable(item.number, "stopped", "publishing stopped before this line")
                )
        self._report.input_read = source.at_end
