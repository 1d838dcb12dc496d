"""Only work that waits, and only time without a move, count as standing still."""

from __future__ import annotations

from streams.stall_detector import StallDetector


def test_a_place_that_does_not_move_is_named_after_the_patience() -> None:
    standstill = StallDetector(10)
    assert standstill.look({1: 5, 2: 7}, 0) == []
    assert standstill.look({1: 5, 2: 8}, 9) == []
    assert standstill.look({1: 5, 2: 8}, 18) == []
    assert standstill.look({1: 5, 2: 8}, 20) == [1, 2]


def test_while_others_move_a_place_may_wait_ten_times_as_long() -> None:
    standstill = StallDetector(10)
    for second in range(0, 96, 5):
        assert standstill.look({1: 5, 2: second}, second) == []
        assert standstill.look({1: 5}, second + 1, moved=True) == []
    assert standstill.look({1: 5}, 102, moved=True) == [1]


def test_a_place_without_work_starts_anew_with_the_next_record() -> None:
    standstill = StallDetector(10)
    standstill.look({1: 5}, 0)
    standstill.look({}, 9)
    assert standstill.look({1: 5}, 11) == []
    assert standstill.look({1: 5}, 22) == [1]


def test_time_without_servers_does_not_count() -> None:
    standstill = StallDetector(10)
    standstill.look({1: 5}, 0)
    standstill.forgive()
    assert standstill.look({1: 5}, 60) == []
    assert standstill.look({1: 5}, 71) == [1]
