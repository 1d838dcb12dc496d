"""Detect work that makes no progress."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Final, TypeVar

#: Multiple of the patience that one partition gets while others make progress.
_PATIENCE_WHILE_OTHERS_MOVE: Final = 10
Partition = TypeVar("Partition", bound=Hashable)


class StallDetector:
    """Tracks since when each partition has been at its position.

    A busy role works through its partitions one after the other, so a partition that waits while others
    make progress is given ten times the patience.

    :param patience: seconds without progress after which a partition is stalled.
    """

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._since: dict[Hashable, tuple[object, float]] = {}
        self._progress_at = float("-inf")

    def observe(
        self, positions: Mapping[Partition, object], now: float, *, progress: bool = False
    ) -> list[Partition]:
        """Record the current positions; return the partitions that are stalled.

        :param positions: position of each partition that has pending work. Partitions not named here are
            forgotten.
        :param now: seconds of a monotonic clock.
        :param progress: whether anything made progress since the last observation, named here or not.
        """
        before, self._since = self._since, {}
        for partition, position in positions.items():
            known = before.get(partition)
            same = known is not None and known[0] == position
            self._since[partition] = (position, known[1] if known is not None and same else now)
            progress = progress or (known is not None and not same)
        if progress:
            self._progress_at = now
        return [partition for partition in positions if self._is_stalled(partition, now)]

    def _is_stalled(self, partition: Hashable, now: float) -> bool:
        _, since = self._since[partition]
        if now - max(since, self._progress_at) > self._patience:
            return True
        return now - since > _PATIENCE_WHILE_OTHERS_MOVE * self._patience

    def since(self, partition: Hashable) -> float:
        """Return when a partition of the last observation was first seen at its position."""
        return self._since[partition][1]

    def reset(self) -> None:
        """Discard all observations, for example after an outage."""
        self._since = {}
