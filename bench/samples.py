"""Samples taken so far, kept in a journal so that an interrupted run can be resumed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

#: Figures of one run of a scenario, by name; or ``{"error": reason}``.
Sample = dict[str, Any]


class MissingSample(Exception):
    """A scenario that a figure needs did not run or failed."""


class Samples:
    """Samples by scenario, in round order.

    :param journal: file to append every sample to; its present contents are loaded.
    """

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self._by_scenario: dict[str, list[Sample]] = {}
        if journal.exists():
            for line in journal.read_bytes().splitlines():
                entry = orjson.loads(line)
                if "error" in entry["sample"]:
                    continue  # retried
                self._by_scenario.setdefault(entry["scenario"], []).append(entry["sample"])

    def count(self, scenario: str) -> int:
        """Number of samples of a scenario."""
        return len(self._by_scenario.get(scenario, []))

    def add(self, scenario: str, sample: Sample) -> None:
        """Add a sample and append it to the journal."""
        self._by_scenario.setdefault(scenario, []).append(sample)
        with self._journal.open("ab") as file:
            file.write(orjson.dumps({"scenario": scenario, "sample": sample}) + b"\n")

    def all(self, scenario: str) -> Sequence[Sample]:
        """Every sample of a scenario.

        :raises MissingSample: the scenario did not run, or failed; the message has the reason.
        """
        found = self._by_scenario.get(scenario, [])
        if not found:
            raise MissingSample(f"{scenario} did not run")
        for sample in found:
            if "error" in sample:
                raise MissingSample(f"{scenario}: {sample['error']}")
        return found

    def series(self, scenario: str, figure: str) -> list[float]:
        """One figure of a scenario, per round.

        :raises MissingSample: as :meth:`all`.
        """
        return [float(sample[figure]) for sample in self.all(scenario)]
