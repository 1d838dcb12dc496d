# Functions are replaced here on purpose.
# mypy: disable-error-code="assignment, method-assign, attr-defined, misc"
"""Mutants of stall detection and of the stored positions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.faults.mutants.catalogue import mutant

_STARTS = "test:tests/unit/streams/test_start_offsets.py"
_WATCH = "test:tests/unit/streams/test_watchdog.py"
_READER = "test:tests/unit/streams/test_hand_over.py"


@mutant("a failed rebalance callback is ignored", f"{_READER}::test_a_failed_callback_ends_the_reader")
def callback_failure_passed_over() -> None:
    from streams.applier.ownership import Ownership

    Ownership.raise_failure = lambda self: None


@mutant(
    "a newly added partition crashes the applier it is assigned to",
    f"{_STARTS}::test_partitions_without_an_answer_yet_are_waited_for",
)
def added_partitions_not_waited_for() -> None:
    from streams.applier import start_offsets

    start_offsets._PASSES = frozenset()


@mutant(
    "a reset of the group's offsets publishes every result again",
    f"{_STARTS}::test_group_offsets_that_were_reset_or_have_expired_repeat_no_result",
)
def stored_results_position_ignored() -> None:
    from streams.applier import start_offsets

    real = start_offsets.start_offset

    def start_offset(partition: int, ends: Any, stored: Any, *rest: Any) -> Any:
        return real(partition, ends, stored and replace(stored, results_offset=0), *rest)

    start_offsets.start_offset = start_offset


@mutant(
    "a recreated topic is taken for the old one",
    f"{_STARTS}::test_a_topic_created_again_is_refused_however_long_it_is",
)
def topic_id_ignored() -> None:
    from streams.applier import start_offsets

    real = start_offsets.start_offset
    start_offsets.start_offset = lambda partition, ends, stored, committed, topic=None: real(
        partition, ends, stored, committed
    )


@mutant(
    "a watermark is moved over markers without checking its position",
    "test:tests/faults/test_fence.py::test_markers_are_skipped_from_the_watermark_alone",
)
def markers_skipped_unchecked() -> None:
    from sinks import consumed_offsets

    unchecked = consumed_offsets._ADVANCE_PAST_MARKERS.replace("AND next_offset = %(position)s AND", "AND")
    assert unchecked != consumed_offsets._ADVANCE_PAST_MARKERS
    consumed_offsets._ADVANCE_PAST_MARKERS = unchecked


@mutant(
    "only consumed and applied records are watched",
    f"{_WATCH}::test_a_stalled_stage_is_detected_within_two_minutes",
)
def results_and_events_unwatched() -> None:
    from streams.watchdog import _Watchdog

    real = _Watchdog._check

    def check(self: _Watchdog, detector: Any, pending: Any, progress: bool) -> Any:
        kept = [work for work in pending if work.stage in {"consumed", "applied"}]
        return real(self, detector, kept, progress)

    _Watchdog._check = check
