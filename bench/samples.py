"""What the arms of a run have measured so far, kept in a journal so that an interrupted run can go on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

#: The figures of one run of an arm, by name; or ``{"error": reason}``.
Sample = dict[str, Any]


class MissingSample(Exception):
    """A figure is wanted of an arm that could not be run."""


class Samples:
    """Samples by arm, in the order of the rounds.

    :param journal: where every sample is appended; what it holds already is taken over.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._by_arm: dict[str, list[Sample]] = {}
        if journal.exists():
            for line in journal.read_bytes().splitlines():
                entry = orjson.loads(line)
                if "error" in entry["sample"]:
                    continue  # tried again
                self._by_arm.setdefault(entry["arm"], []).append(entry["sample"])

    def count(self, arm: str) -> int:
        """How often an arm has run."""
        return len(self._by_arm.get(arm, []))

    def add(self, arm: str, sample: Sample) -> None:
        """Keep a sample."""
        self._by_arm.setdefault(arm, []).append(sample)
        with self._journal.open("ab") as file:
            file.write(orjson.dumps({"arm": arm, "sample": sample}) + b"\n")

    def all(self, arm: str) -> Sequence[Sample]:
        """Every sample of an arm.

        :raises MissingSample: it did not run, or failed; the message says why.
        """
        found = self._by_arm.get(arm, [])
        if not found:
            raise MissingSample(f"{arm} did not run")
        for sample in found:
            if "error" in sample:
                raise MissingSample(f"{arm}: {sample['error']}")
        return found

    def series(self, arm: str, figure: str) -> list[float]:
        """One figure of an arm, round by round.

        :raises MissingSample: as :meth:`all`.
        """
        return [float(sample[figure]) for sample in self.all(arm)]
