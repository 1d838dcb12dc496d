"""After crashes a partition is read in small groups; a record alone in hand at three of them is isolated."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from runtime.settings import Settings
from schemas.errors import Stop
from sinks.applier_attempts import Attempt
from streams.applier import consumer as reader
from streams.applier.batches import BatchQueue, InFlight
from streams.applier.careful import Careful
from streams.applier.consumer import Reader
from streams.heartbeat import Heartbeat
from streams.upkeep import Upkeep


class Marks:
    """The marks as they would be stored."""

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self.noted: list[tuple[int, int, int]] = []

    def begin(self, _starts: Any) -> dict[int, Attempt]:
        return {0: self._attempt}

    def try_records(self, _partition: int, first: int, last: int, failures: int) -> None:
        self.noted.append((first, last, failures))

    def done(self, _partition: int, *, isolated: bool) -> None:
        self.noted.append((-1, -1, int(isolated)))

    def close(self) -> None:
        return


class At:
    """A message at an offset."""

    def __init__(self, offset: int, partition: int = 0) -> None:
        self._offset = offset
        self._partition = partition

    def error(self) -> None:
        return None

    def __len__(self) -> int:
        return 5

    def topic(self) -> str:
        return "commands"

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_800_000_000_000

    def key(self) -> bytes:
        return b"key"

    def value(self) -> bytes:
        return b"value"

    def headers(self) -> list[Any]:
        return []


def _careful(attempt: Attempt, *, waiting: bool = True, applied: int = 10) -> tuple[Careful, Marks]:
    careful, marks = Careful(Settings(batch_size=100)), Marks(attempt)
    careful._attempts = marks  # type: ignore[assignment]
    careful.assigned({0: (10, waiting)}, {0: applied})
    return careful, marks


def _offsets(careful: Careful, first: int, end: int) -> list[list[int]]:
    messages: list[Any] = [At(offset) for offset in range(first, end)]
    return [[at.offset() or 0 for at in group] for group in careful.groups(messages)]


@pytest.mark.parametrize(("starts", "waiting"), [(1, True), (0, True), (5, False)])
def test_no_care_without_a_crash_or_without_work(starts: int, waiting: bool) -> None:
    careful, _ = _careful(Attempt(starts, None, None, 0, 0), waiting=waiting)
    assert not careful.partitions


def test_a_suspect_group_is_taken_one_by_one() -> None:
    careful, marks = _careful(Attempt(1, 12, 14, 1, 0))
    assert _offsets(careful, 10, 17) == [[10, 11], [12], [13], [14], [15, 16]]
    assert careful.take_in_hand([At(10), At(11)]) is None  # type: ignore[list-item]
    assert careful.take_in_hand([At(12)]) is None  # type: ignore[list-item]
    assert marks.noted == [(10, 11, 1), (12, 12, 1)], "the crash of its group blames no record of it"


@pytest.mark.parametrize(
    ("failures", "applied", "isolated", "value"),
    [(2, 10, False, None), (3, 10, True, b"value"), (4, 10, True, None), (3, 11, False, None)],
    ids=["two crashes", "three", "a fourth while it was isolated", "carried out already"],
)
def test_a_record_alone_in_hand_at_three_crashes_is_isolated(
    failures: int, applied: int, isolated: bool, value: bytes | None
) -> None:
    careful, _ = _careful(Attempt(1, 10, 10, failures, 0), applied=applied)
    message: Any = At(10)
    refused = careful.take_in_hand([message])
    assert (refused is not None) == isolated
    if refused is not None:
        assert (refused.rejection.code, refused.record.value) == ("internal_error", value)
        assert "reference 0:10" in refused.rejection.detail


def test_when_record_after_record_ends_the_process_none_is_to_blame() -> None:
    careful, _ = _careful(Attempt(1, 10, 10, 3, 5))
    message: Any = At(10)
    with pytest.raises(Stop, match="broken deployment"):
        careful.take_in_hand([message])


def test_care_ends_where_no_former_owner_can_have_come() -> None:
    careful, marks = _careful(Attempt(2, None, None, 0, 0))
    message: Any = At(409)
    careful.finished([message], isolated=False)
    assert not careful.partitions
    assert marks.noted == [(-1, -1, 0)]


def test_groups_grow_while_they_are_carried_out() -> None:
    careful, _ = _careful(Attempt(2, None, None, 0, 0))
    messages: list[Any] = [At(offset) for offset in range(10, 400)]
    sizes = []
    for group in careful.groups(messages):
        sizes.append(len(group))
        careful.finished(group, isolated=False)
    assert sizes == [50, 100, 200, 40]


def test_groups_are_small_again_for_the_next_owner() -> None:
    careful, _ = _careful(Attempt(2, None, None, 0, 0))
    messages: list[Any] = [At(offset) for offset in range(10, 160)]
    for group in careful.groups(messages):
        careful.finished(group, isolated=False)
    careful.assigned({0: (160, True)}, {0: 160})
    assert _offsets(careful, 160, 230) == [list(range(160, 210)), list(range(210, 230))]


def test_partitions_that_need_no_care_are_taken_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "make_consumer", lambda *_, **__: None)
    in_flight, stop = InFlight(), threading.Event()
    some = Reader(
        Settings(),
        lambda _: ("", {}),
        in_flight,
        BatchQueue(1),
        Heartbeat(),
        stop,
        Upkeep(Settings(), in_flight, stop),
    )
    some._careful, _ = _careful(Attempt(2, None, None, 0, 0))
    taken: list[list[int]] = []
    monkeypatch.setattr(some, "_take", lambda messages, *_: taken.append([m.partition() for m in messages]))
    messages: list[Any] = [At(offset, partition=offset % 2) for offset in range(10, 210)]
    some._deliver(messages)
    assert taken == [[1] * 100, [0] * 50, [0] * 50]


def test_a_failed_rebalance_blames_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "make_consumer", lambda *_, **__: None)
    in_flight, stop = InFlight(), threading.Event()
    upkeep = Upkeep(Settings(), in_flight, stop)
    some = Reader(Settings(), lambda _: ("", {}), in_flight, BatchQueue(1), Heartbeat(), stop, upkeep)
    some._careful, _ = _careful(Attempt(2, None, None, 0, 0))
    forgiven: list[int] = []
    monkeypatch.setattr(some._careful, "given_up", lambda group: forgiven.append(group[0].offset()))

    def take(_messages: list[Any], *_: Any) -> None:
        some._ownership.failure = Stop("a rebalance could not wait")
        some._ownership.raise_failure()

    monkeypatch.setattr(some, "_take", lambda messages, *rest: take(messages) if messages else None)
    messages: list[Any] = [At(10)]
    with pytest.raises(Stop, match="could not wait"):
        some._deliver(messages)
    assert forgiven == [10]
