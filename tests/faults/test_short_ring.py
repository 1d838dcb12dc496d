"""Eight faults of the most telling kinds while commands flow, some at the same time; then the audit.

``make faults`` and ``make chaos`` are the larger rings.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from runtime.crash_points import POINTS
from tests.faults.engine import Checked, Engine
from tests.faults.lanes import Struck
from tests.faults.scene import set_scene
from tests.harness.servers import TEMPLATE, own_servers
from tests.stack_fixtures import own_world

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
_SESSION = 3.0
# Read at once: the servers' fixture hides these variables from the tests.
_SEED = int(os.environ.get("INTERACTIONS_CHAOS_SEED") or time.time())


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
    print(f"repeat with INTERACTIONS_CHAOS_SEED={_SEED}")
    order = _order(random.Random(_SEED))
    faults: list[Struck] = []
    checks: list[Checked] = []
    with (
        own_servers(int(_SESSION * 1000)) as servers,
        own_world(servers, TEMPLATE) as world,
        set_scene(
            world.model_copy(update={"batch_size": 200}),
            tmp_path,
            seed=_SEED,
            pace=100.0,
            commands=1_000_000,
            session_seconds=_SESSION,
        ) as scene,
    ):
        for found in Engine(scene, _SEED, order, pause_every=len(order), lanes=True).run():
            print(found)
            if isinstance(found, Struck):
                faults.append(found)
            else:
                checks.append(found)
    assert sorted(fault.kind for fault in faults) == sorted(order)
    assert [fault for fault in faults if not fault.reached] == []
    assert [check for check in checks if not check.clean] == []
    assert checks[-1].audited
    assert checks[-1].results >= checks[-1].acked > 500
