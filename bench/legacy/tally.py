"""Counts of rows, by kind of dirt: the content of ``expected.json``."""

from __future__ import annotations

from collections import Counter


class Tally:
    """Counts of one file."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def count(self, kind: str) -> None:
        """Count one row; clean values have no kind."""
        if kind:
            self._counts[kind] += 1

    def add(self, kind: str, number: int) -> None:
        """Add to a count."""
        self._counts[kind] += number

    def to_json(self) -> dict[str, int]:
        """The counts by name."""
        return dict(sorted(self._counts.items()))
