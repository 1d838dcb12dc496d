"""The batch size stays in its bounds, converges, and follows a change of the load within three batches."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.jobs.batch_size import (
    BUSY_ROWS,
    BUSY_SECONDS,
    BUSY_SHARE,
    IDLE_SECONDS,
    LARGEST,
    SMALLEST,
    BatchSize,
)

_BOUNDS = st.tuples(st.integers(1, 500), st.integers(0, 5000)).map(lambda it: (it[0], it[0] + it[1]))
_SECONDS = st.floats(0, 1e6)


def _run(size: BatchSize, batches: int, fixed: float, per_row: float, others: int) -> None:
    for _ in range(batches):
        size.observe(size.rows, fixed + per_row * size.rows, others)


@given(_BOUNDS, st.lists(st.tuples(st.floats(0, 1), _SECONDS, st.integers(0, 10**9))))
def test_never_leaves_its_bounds(bounds: tuple[int, int], observed: list[tuple[float, float, int]]) -> None:
    size = BatchSize(*bounds)
    assert size.rows == bounds[0]
    for part, seconds, others in observed:
        size.observe(int(part * size.rows), seconds, others)
        assert bounds[0] <= size.rows <= bounds[1]
        assert 0 <= size.pause <= max(0.0, seconds) * (1 / BUSY_SHARE - 1) * 1.001


@given(
    st.integers(SMALLEST, LARGEST),
    st.floats(0, 0.9),
    st.floats(1e-6, 1e-2),
    st.booleans(),
)
def test_converges_for_a_linear_cost(start: int, fixed_part: float, per_row: float, busy: bool) -> None:
    target, largest = (BUSY_SECONDS, BUSY_ROWS) if busy else (IDLE_SECONDS, LARGEST)
    fixed = fixed_part * target
    size = BatchSize()
    while size.rows < start:
        size.observe(size.rows, 0.0, 0)
    _run(size, 3, 0.0, target / size.rows, int(busy))  # the load is known by now
    _run(size, 100, fixed, per_row, int(busy))
    reached = size.rows
    seconds = fixed + per_row * reached
    assert seconds <= target or reached == SMALLEST
    # One step of growth never overshoots, so the size stays where it is.
    grown = fixed + per_row * 1.25 * reached
    assert seconds >= 0.7 * target or reached == largest or grown > 0.7 * target
    _run(size, 10, fixed, per_row, int(busy))
    assert size.rows == reached


@given(st.floats(1e-5, 1e-3))
def test_yields_to_live_commands_within_three_batches(per_row: float) -> None:
    size = BatchSize()
    _run(size, 100, 0.0, per_row, 0)
    before = size.rows
    assert size.pause == 0
    _run(size, 1, 0.0, per_row, 1)
    assert size.pause > 0
    _run(size, 2, 0.0, per_row, 1)
    assert size.rows <= BUSY_ROWS
    assert size.rows <= max(SMALLEST, before / 8, BUSY_SECONDS / per_row * 1.001)


@given(st.floats(1e-5, 1e-3))
def test_uses_the_spare_time_within_three_batches(per_row: float) -> None:
    size = BatchSize()
    _run(size, 100, 0.0, per_row, 1)
    before = size.rows
    _run(size, 3, 0.0, per_row, 0)
    assert size.pause == 0
    assert size.rows > before or size.rows == LARGEST


def test_one_batch_without_others_is_not_quiet_yet() -> None:
    size = BatchSize()
    size.observe(20, 0.02, 5)
    size.observe(20, 0.02, 0)
    assert size.pause == pytest.approx(0.38)  # a twentieth of the time is the job's


def test_a_short_last_batch_does_not_make_the_next_one_larger() -> None:
    size = BatchSize()
    size.observe(3, 0.001, 0)
    assert size.rows == SMALLEST
