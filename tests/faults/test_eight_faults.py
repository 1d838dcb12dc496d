"""Eight faults of the most revealing kinds while commands flow, some concurrent; then the audit.

``make faults`` and ``make chaos`` inject more.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from runtime.crash_points import POINTS
from tests.faults.fault_run import run_faults
from tests.harness.seed import SEED

pytestmark = [pytest.mark.integration, pytest.mark.long, pytest.mark.timeout(900)]


def _order(chance: random.Random) -> list[str]:
    points = sorted(point for point in POINTS if not point.startswith("relay"))
    order = [
        "applier: kill -9",
        "applier: paused past its session",
        "relay: kill -9",
        "postgres: immediate stop",
        "broker: kill -9",
        *(f"crash point: {point}" for point in chance.sample(points, 2)),
        f"crash point: {chance.choice(sorted(POINTS - set(points)))}",
    ]
    chance.shuffle(order)
    return order


def test_nothing_is_lost_doubled_or_inverted(tmp_path: Path) -> None:
    order = _order(random.Random(SEED))
    faults, checks = run_faults(tmp_path, order, pace=100.0, pause_every=len(order), lanes=True)
    assert sorted(fault.kind for fault in faults) == sorted(order)
    assert [fault for fault in faults if not fault.reached] == []
    assert [check for check in checks if not check.clean] == []
    assert checks[-1].audited
    assert checks[-1].results >= checks[-1].acked > 500
