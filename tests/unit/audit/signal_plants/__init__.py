"""Planted violations of the invariants of signals and drafts."""

from __future__ import annotations

from tests.unit.audit.planting import Plants
from tests.unit.audit.signal_plants import events, invariants, results, rows, states

PLANTS = Plants()
for _module in (events, invariants, results, rows, states):
    assert not _module.PLANTS.keys() & PLANTS.keys()
    PLANTS.update(_module.PLANTS)
