"""Size of a job's next batch, so that the job uses the applier's spare time and delays no live command.

Increase gently, decrease at once (as in TCP congestion control), by the time that the applier takes for a
batch.
"""

from __future__ import annotations

from typing import Final

#: Longest batch while other publishers send commands. Most of its time is the fixed cost of a batch, which
#: delays no other command; its rows do.
BUSY_SECONDS: Final = 0.15
#: Rows of a batch meanwhile: about the latency that a batch adds to the commands of others.
BUSY_ROWS: Final = 20
#: Share of the time that batches take meanwhile; the rest is pauses.
BUSY_SHARE: Final = 0.05
#: Applier work per batch while they do not.
IDLE_SECONDS: Final = 0.5
#: Bounds of a batch.
SMALLEST: Final = 10
LARGEST: Final = 2000
_GROW_BELOW: Final = 0.7
_GROWTH: Final = 1.25
_MOST_SHRINKING: Final = 0.5
#: Batches without commands of others, in a row, after which the load counts as gone.
_QUIET_BATCHES: Final = 3
_LONGEST_PAUSE: Final = 10.0


class BatchSize:
    """Controller of the batch size: no I/O, no clock.

    :param minimum: smallest batch, and the first one; ``maximum``: the largest.
    """

    def __init__(self, minimum: int = SMALLEST, maximum: int = LARGEST) -> None:
        assert 0 < minimum <= maximum
        self._minimum = minimum
        self._maximum = maximum
        self._rows = minimum
        self._quiet = _QUIET_BATCHES
        self._seconds = 0.0

    @property
    def rows(self) -> int:
        """Rows of the next batch."""
        return self._rows

    @property
    def busy(self) -> bool:
        """True if other publishers sent commands during one of the latest batches."""
        return self._quiet < _QUIET_BATCHES

    @property
    def pause(self) -> float:
        """Seconds to wait before the next batch: none unless others publish."""
        return min(self._seconds * (1 / BUSY_SHARE - 1), _LONGEST_PAUSE) if self.busy else 0.0

    def observe(self, rows: int, seconds: float, others: int) -> None:
        """Adapt to the outcome of a batch.

        :param rows: size of the batch, at most ``self.rows``.
        :param seconds: from the acknowledgement of its commands until the outcome of each was seen.
        :param others: commands of other publishers that were applied meanwhile.
        """
        self._quiet = 0 if others > 0 else self._quiet + 1
        self._seconds = seconds
        target = BUSY_SECONDS if self.busy else IDLE_SECONDS
        wanted = float(self._rows)
        if seconds > target:
            # Floor: at least one row less, so that it also converges where a batch has a fixed cost.
            wanted = max(self._rows * _MOST_SHRINKING, min(self._rows - 1, rows * target / seconds))
        elif seconds < target * _GROW_BELOW and rows >= self._rows:
            wanted = max(self._rows + 1, self._rows * _GROWTH)
        largest = min(self._maximum, max(self._minimum, BUSY_ROWS)) if self.busy else self._maximum
        self._rows = min(largest, max(self._minimum, int(wanted)))
