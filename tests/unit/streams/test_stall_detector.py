"""A partition is stalled only while it has pending work and makes no progress."""

from __future__ import annotations

from streams.stall_detector import StallDetector


def test_a_partition_without_progress_is_stalled_after_the_patience() -> None:
    detector = StallDetector(10)
    assert detector.observe({1: 5, 2: 7}, 0) == []
    assert detector.observe({1: 5, 2: 8}, 9) == []
    assert detector.observe({1: 5, 2: 8}, 18) == []
    assert detector.observe({1: 5, 2: 8}, 20) == [1, 2]


def test_while_others_progress_a_partition_may_wait_ten_times_as_long() -> None:
    detector = StallDetector(10)
    for second in range(0, 96, 5):
        assert detector.observe({1: 5, 2: second}, second) == []
        assert detector.observe({1: 5}, second + 1, progress=True) == []
    assert detector.observe({1: 5}, 102, progress=True) == [1]


def test_a_partition_without_work_starts_again_with_the_next_record() -> None:
    detector = StallDetector(10)
    detector.observe({1: 5}, 0)
    detector.observe({}, 9)
    assert detector.observe({1: 5}, 11) == []
    assert detector.observe({1: 5}, 22) == [1]


def test_time_before_a_reset_does_not_count() -> None:
    detector = StallDetector(10)
    detector.observe({1: 5}, 0)
    detector.reset()
    assert detector.observe({1: 5}, 60) == []
    assert detector.observe({1: 5}, 71) == [1]
