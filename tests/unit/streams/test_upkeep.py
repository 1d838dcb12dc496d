"""Database upkeep beside the batches."""

from __future__ import annotations

import threading
from typing import Any

from runtime.settings import Settings
from streams.applier.batches import InFlight
from streams.upkeep import Upkeep


class Statements:
    """A connection that records the parameters of executed statements."""

    def __init__(self) -> None:
        self.values: list[dict[str, Any]] = []

    def execute(self, _statement: str, values: dict[str, Any]) -> None:
        self.values.append(values)


def test_the_watermark_advances_past_a_trailing_transaction_marker() -> None:
    in_flight, connection = InFlight(), Statements()
    in_flight.published[3] = 41
    upkeep = Upkeep(Settings(), in_flight, threading.Event())
    upkeep.tails[3] = (41, 42)
    upkeep._save(connection, upkeep._unsaved())  # type: ignore[arg-type]
    results, markers = connection.values
    assert (results["partition"], results["results"]) == (3, 41)
    assert (markers["partition"], markers["position"], markers["end"]) == (3, 41, 42)
    assert upkeep._unsaved() == {}, "it is stored once"
