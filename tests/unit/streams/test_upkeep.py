"""Upkeep of the database beside the batches."""

from __future__ import annotations

import threading
from typing import Any

from runtime.settings import Settings
from streams.applier.batches import InFlight
from streams.upkeep import Upkeep


class Statements:
    """A connection that keeps the values of what it is told to execute."""

    def __init__(self) -> None:
        self.values: list[dict[str, Any]] = []

    def execute(self, _statement: str, values: dict[str, Any]) -> None:
        self.values.append(values)


def test_the_marker_that_ends_a_partition_is_passed_over() -> None:
    in_flight, connection = InFlight(), Statements()
    in_flight.published[3] = 41
    upkeep = Upkeep(Settings(), in_flight, threading.Event())
    upkeep.tails[3] = (41, 42)
    upkeep._note(connection, upkeep._fresh())  # type: ignore[arg-type]
    results, markers = connection.values
    assert (results["partition"], results["results"]) == (3, 41)
    assert (markers["partition"], markers["position"], markers["end"]) == (3, 41, 42)
    assert upkeep._fresh() == {}, "it is noted once"
