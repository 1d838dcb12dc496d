"""Sends commands and waits for the outcome of each: the loop behind every publishing command."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from cli.publish.input_lines import Outgoing, Unsendable
from cli.publish.report import Rejection, Report
from cli.publish.result_reader import Seen
from schemas.errors import Retry
from schemas.topics import COMMANDS

#: The value of a result as a problem object, or ``None`` when it holds none.
ReadProblem = Callable[[Seen], dict[str, Any] | None]

_TURN: Final = 500
_WAIT_SECONDS: Final = 0.05
_CLOSE_SECONDS: Final = 5.0
#: Errors after which a record is surely not in the log; after any other it may be.
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


class Source(Protocol):
    """Where the records to send come from."""

    @property
    def at_end(self) -> bool:
        """Nothing more will come."""

    def take(self, maximum: int, timeout: float) -> list[Outgoing | Unsendable]:
        """What is there now; waits ``timeout`` seconds for the first."""


class Watch(Protocol):
    """Where the outcomes come from."""

    def take(self, timeout: float) -> list[Seen]:
        """The outcomes that have arrived."""


class Publisher:
    """Sends every record of a source once and settles its fate in a ``Report``.

    Memory is bounded: at most ``window`` records are without an outcome at any time.

    :param watch: fixed on the results topic before now; ``None`` waits for the broker only.
    :param timeout: seconds without any progress after which the rest is ``unknown``.
    :param on_progress: called about twenty times a second with the report.
    """

    def __init__(
        self,
        producer: Producer,
        watch: Watch | None,
        report: Report,
        read_problem: ReadProblem,
        *,
        timeout: float = 30.0,
        window: int = 20_000,
        topic: str = COMMANDS,
        on_progress: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self._producer = producer
        self._watch = watch
        self._report = report
        self._read_problem = read_problem
        self._timeout = timeout
        self._window = window
        self._topic = topic
        self._on_progress = on_progress
        self._in_flight: Counter[str | None] = Counter()
        self._flying: dict[int, Outgoing] = {}
        self._pending: dict[tuple[int, int], int] = {}
        self._early: dict[tuple[int, int], Seen] = {}

    def run(self, source: Source) -> Report:
        """Publish everything; returns when each record has its fate, or after ``timeout`` without progress.

        Ctrl-C ends it early, and so does an input or a results topic that cannot be read any more: with
        what is known by then.
        """
        started = time.monotonic()
        try:
            self._settle_all(source)
        except KeyboardInterrupt:
            self._report.interrupted = True
        except Retry as error:
            self._report.failure = str(error)
        self._give_up(source)
        self._report.seconds = time.monotonic() - started
        self._on_progress(self._report)
        return self._report

    def _settle_all(self, source: Source) -> None:
        last_progress = time.monotonic()
        progress_shown = 0.0
        while self._reading(source) or self._waiting():
            before = (self._report.lines, self._report.settled, len(self._flying))
            room = self._window - self._waiting()
            if room > 0 and self._reading(source):
                self._send(source, min(room, _TURN), 0.0 if self._waiting() else _WAIT_SECONDS)
            self._producer.poll(0)
            self._collect(idle=before == (self._report.lines, self._report.settled, len(self._flying)))
            now = time.monotonic()
            if before != (self._report.lines, self._report.settled, len(self._flying)) or not self._waiting():
                last_progress = now
            elif now - last_progress > self._timeout:
                return
            if now - progress_shown > _WAIT_SECONDS:
                progress_shown = now
                self._on_progress(self._report)

    def _reading(self, source: Source) -> bool:
        return not source.at_end and self._report.failure is None

    def _waiting(self) -> int:
        return len(self._flying) + len(self._pending)

    def _send(self, source: Source, maximum: int, timeout: float) -> None:
        try:
            items = source.take(maximum, timeout)
        except OSError as error:
            # What was read before is still waited for.
            self._report.failure = f"the input cannot be read: {error.strerror or error}"
            return
        for item in items:
            self._report.lines += 1
            if isinstance(item, Unsendable):
                self._report.add_unsendable(item)
            else:
                self._produce(item)

    def _produce(self, item: Outgoing) -> None:
        self._flying[item.number] = item
        self._in_flight[item.command_id] += 1

        def delivered(error: KafkaError | None, message: Message) -> None:
            self._delivered(item, error, message)

        while True:
            try:
                self._producer.produce(
                    self._topic, key=item.key, value=item.value, headers=item.headers, on_delivery=delivered
                )
            except BufferError:
                self._producer.poll(_WAIT_SECONDS)  # the local queue is full: let the broker take some
                continue
            except KafkaException as failure:
                self._landed(item)
                self._fail(item, failure.args[0])
            return

    def _landed(self, item: Outgoing) -> None:
        del self._flying[item.number]
        self._in_flight[item.command_id] -= 1
        if not self._in_flight[item.command_id]:
            del self._in_flight[item.command_id]

    def _delivered(self, item: Outgoing, error: KafkaError | None, message: Message) -> None:
        if item.number not in self._flying:
            return  # already given up and counted
        self._landed(item)
        if error is not None:
            self._fail(item, error)
            return
        if self._watch is None:
            self._report.accepted += 1
            return
        place = (int(message.partition() or 0), int(message.offset() or 0))
        early = self._early.pop(place, None)
        if early is None:
            self._pending[place] = item.number
        else:
            self._settle(item.number, early)
        if not self._flying:
            self._early.clear()

    def _fail(self, item: Outgoing, error: KafkaError) -> None:
        if error.code() in _NEVER_WRITTEN:
            code = error.name().lower().strip("_")
            self._report.add_unsendable(Unsendable(item.number, code, f"Kafka refused it: {error.str()}"))
        else:
            self._report.add_unknown(item.number)

    def _collect(self, idle: bool) -> None:
        if self._watch is None:
            if idle and self._flying:
                self._producer.poll(_WAIT_SECONDS)
            return
        for seen in self._watch.take(_WAIT_SECONDS if idle and self._waiting() else 0.0):
            number = self._pending.pop((seen.partition, seen.offset), None)
            if number is not None:
                self._settle(number, seen)
            elif self._may_be_ours(seen):
                # The outcome can be here before the broker's acknowledgement.
                self._early[seen.partition, seen.offset] = seen

    def _may_be_ours(self, seen: Seen) -> bool:
        """Whether it can answer a record without acknowledgement yet; a refused id shows as ``None``."""
        if seen.command_id is None or None in self._in_flight:
            return bool(self._flying)
        return seen.command_id in self._in_flight

    def _settle(self, number: int, seen: Seen) -> None:
        self._report.outcomes[seen.outcome] += 1
        if seen.outcome == "rejected" and self._report.wants_rejection():
            problem = self._read_problem(seen) or {}
            self._report.rejections.append(Rejection(number, seen.command_id, problem))

    def _give_up(self, source: Source) -> None:
        """Count what is left: queued records are taken back, the others are unknown."""
        if self._flying:
            self._producer.purge(in_flight=False)
            self._producer.flush(_CLOSE_SECONDS)
            for number in list(self._flying):
                self._landed(self._flying[number])
                self._report.add_unknown(number)
        for number in self._pending.values():
            self._report.add_unknown(number)
        self._pending.clear()
        while self._reading(source):
            rest = source.take(_TURN, 0.0)
            if not rest:
                break
            for item in rest:
                self._report.lines += 1
                fault = item if isinstance(item, Unsendable) else None
                self._report.add_unsendable(
                    fault or Unsendable(item.number, "stopped", "publishing stopped before this line")
                )
        self._report.input_read = source.at_end
