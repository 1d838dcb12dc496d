"""The publishing loop against a scripted broker: every line is counted exactly once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given, settings
from hypothesis import strategies as st

from cli.publish.command_publisher import CommandPublisher
from cli.publish.input_lines import InputCommand, Unsendable
from cli.publish.publishing import ListSource
from cli.publish.report import Report
from cli.publish.result_reader import ResultRecord
from schemas.errors import Retry
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import COMMANDS
from tests.harness.examples import scaled


@dataclass
class Message:
    place: tuple[int, int]

    def partition(self) -> int:
        return self.place[0]

    def offset(self) -> int:
        return self.place[1]


@dataclass
class Broker:
    """Fake producer and results topic: a poll acknowledges produced records and adds their results.

    :param outcome_first: results arrive before the acknowledgement of their record.
    """

    outcomes: dict[int, str] = field(default_factory=dict)
    errors: dict[int, int] = field(default_factory=dict)
    refuse: dict[int, int] = field(default_factory=dict)
    outcome_first: bool = False
    silent: bool = False
    deaf: bool = False
    noise: list[ResultRecord] = field(default_factory=list)
    most_waiting: int = 0
    queue: list[tuple[int, Callable[..., None]]] = field(default_factory=list)
    results: list[ResultRecord] = field(default_factory=list)
    offset: int = 100

    def produce(self, topic: str, *, key: bytes, value: bytes, headers: Any, on_delivery: Any) -> None:
        number = int(value)
        if number in self.refuse:
            raise KafkaException(KafkaError(self.refuse[number]))
        self.queue.append((number, on_delivery))
        if self.outcome_first and number not in self.errors and not self.silent:
            self.results.append(
                self._result_record(number, self._location(self.offset + len(self.queue) - 1))
            )

    def poll(self, timeout: float) -> int:
        if self.deaf:
            return 0
        if self.outcome_first and self.results:
            return 0
        ready, self.queue = self.queue, []
        for number, on_delivery in ready:
            if number in self.errors:
                on_delivery(KafkaError(self.errors[number]), Message((0, -1)))
                self.offset += self.outcome_first
                continue
            place = self._location(self.offset)
            self.offset += 1
            on_delivery(None, Message(place))
            if not self.outcome_first and not self.silent:
                self.results.append(self._result_record(number, place))
        return len(ready)

    def purge(self, in_flight: bool = True) -> None:
        ready, self.queue = self.queue, []
        for _, on_delivery in ready:
            on_delivery(KafkaError(KafkaError._PURGE_QUEUE), Message((0, -1)))

    def flush(self, timeout: float) -> int:
        return 0

    def take(self, timeout: float) -> list[ResultRecord]:
        ready, self.results = self.noise + self.results, []
        return ready

    def _result_record(self, number: int, place: tuple[int, int]) -> ResultRecord:
        return ResultRecord(place[0], place[1], f"c-{number % 7}", self.outcomes.get(number, "applied"), b"")

    @staticmethod
    def _location(offset: int) -> tuple[int, int]:
        return offset % 3, offset


def records(count: int) -> list[InputCommand | Unsendable]:
    # Seven command ids for all lines: each record has a result of its own, even if its id is repeated.
    return [
        InputCommand(n, f"c-{n % 7}", OutgoingRecord(COMMANDS, b"k", str(n).encode()))
        for n in range(1, count + 1)
    ]


def publish(broker: Broker, items: list[InputCommand | Unsendable], **options: Any) -> Report:
    report = Report(max_shown=3)
    wait = options.pop("wait", True)
    publisher = CommandPublisher(
        broker,  # type: ignore[arg-type]
        broker if wait else None,
        report,
        lambda result: {"code": "too_long", "detail": "is too long"},
        timeout=options.pop("timeout", 0.3),
        **options,
    )
    return publisher.run(ListSource(items))


@settings(max_examples=scaled(60))
@given(
    fates=st.lists(
        st.sampled_from(["applied", "rejected", "no_op", "duplicate", "lost", "big", "bad"]), max_size=80
    ),
    outcome_first=st.booleans(),
    window=st.integers(1, 90),
)
def test_every_line_ends_in_exactly_one_count(fates: list[str], outcome_first: bool, window: int) -> None:
    items: list[InputCommand | Unsendable] = [
        Unsendable(n, "not_json", "") if fate == "bad" else item
        for n, (fate, item) in enumerate(zip(fates, records(len(fates)), strict=True), 1)
    ]
    numbered = dict(enumerate(fates, 1))
    broker = Broker(
        outcomes=numbered,
        errors={n: KafkaError._MSG_TIMED_OUT for n, fate in numbered.items() if fate == "lost"},
        refuse={n: KafkaError.MSG_SIZE_TOO_LARGE for n, fate in numbered.items() if fate == "big"},
        outcome_first=outcome_first,
    )
    report = publish(broker, items, window=window)
    assert report.lines == report.completed == len(fates)
    for outcome in ("applied", "rejected", "no_op", "duplicate"):
        assert report.outcomes[outcome] == fates.count(outcome)
    assert report.unknown == fates.count("lost")
    assert report.not_sent == fates.count("big") + fates.count("bad")
    assert len(report.rejections) == min(3, fates.count("rejected"))
    assert report.input_read


def test_silence_ends_as_unknown_after_the_timeout_and_fails() -> None:
    report = publish(Broker(silent=True), records(5))
    assert (report.unknown, report.unknown_lines, report.outcomes.total()) == (5, [1, 2, 3], 0)
    assert report.exit_code(allow_rejected=True) == 1


def test_a_full_window_that_gets_no_answers_leaves_the_rest_unsent_and_counted() -> None:
    report = publish(Broker(silent=True), records(2_000), window=10)
    assert (report.lines, report.unknown, report.not_sent) == (2_000, 10, 1_990)
    assert report.unsendable[0].code == "stopped"


def test_records_that_never_left_are_taken_back_as_not_sent() -> None:
    report = publish(Broker(deaf=True), records(4))
    assert (report.not_sent, report.unknown) == (4, 0)
    assert report.unsendable[0].code == "purge_queue"


def test_outcomes_of_other_publishers_count_for_nothing() -> None:
    foreign = [
        ResultRecord(2, 7, "c-1", "rejected", b""),
        ResultRecord(0, 1, "someone-else", "rejected", b""),
    ]
    report = publish(Broker(noise=foreign), records(20))
    assert report.outcomes == {"applied": 20}


def test_without_waiting_the_brokers_word_is_enough() -> None:
    report = publish(Broker(), records(6), wait=False)
    assert (report.accepted, report.outcomes.total(), report.exit_code(False)) == (6, 0, 0)


def test_ctrl_c_tells_what_is_known_and_exits_130() -> None:
    broker = Broker(silent=True)
    turns = 0

    def interrupt(report: Report) -> None:
        nonlocal turns
        turns += 1
        if turns == 2:
            raise KeyboardInterrupt

    report = publish(broker, records(9), timeout=60, on_progress=interrupt)
    assert report.interrupted
    assert report.lines == report.completed == 9
    assert report.exit_code(allow_rejected=True) == 130


def test_an_input_that_breaks_off_fails_and_what_was_sent_is_still_settled() -> None:
    class Broken(ListSource):
        def take(self, maximum: int, timeout: float) -> list[InputCommand | Unsendable]:
            if self.broken:
                raise OSError(5, "Input/output error")
            self.broken = True
            return super().take(3, timeout)

        broken = False

    report = Report()
    broker = Broker()
    CommandPublisher(broker, broker, report, lambda result: None, timeout=5).run(Broken(records(9)))  # type: ignore[arg-type]
    assert (report.lines, report.outcomes["applied"], report.unknown) == (3, 3, 0)
    assert report.failure == "cannot read the input: Input/output error"
    assert report.exit_code(allow_rejected=True) == 1


def test_results_that_cannot_be_read_any_more_leave_the_rest_unknown() -> None:
    class Deaf(Broker):
        def take(self, timeout: float) -> list[ResultRecord]:
            if self.results:
                raise Retry("the results topic cannot be read")
            return []

    report = publish(Deaf(), records(5), timeout=5)
    assert (report.unknown, report.lines) == (5, 5)
    assert report.failure
    assert report.exit_code(allow_rejected=True) == 1


@pytest.mark.parametrize(
    ("outcomes", "not_sent", "unknown", "allow", "code"),
    [
        ({"applied": 3}, 0, 0, False, 0),
        ({"applied": 3, "rejected": 1}, 0, 0, False, 1),
        ({"applied": 3, "rejected": 1}, 0, 0, True, 0),
        ({"applied": 3}, 1, 0, True, 1),
        ({"applied": 3}, 0, 1, True, 1),
    ],
)
def test_exit_codes(outcomes: dict[str, int], not_sent: int, unknown: int, allow: bool, code: int) -> None:
    report = Report(not_sent=not_sent, unknown=unknown)
    report.outcomes.update(outcomes)
    assert report.exit_code(allow) == code
