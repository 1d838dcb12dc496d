"""A ring of faults for tests: servers, a scene and an engine of its own, and what they found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.faults.engine import Checked, Engine
from tests.faults.lanes import Struck
from tests.faults.testbed import set_scene
from tests.harness.seed import SEED
from tests.harness.servers import TEMPLATE, own_servers
from tests.stack_fixtures import own_world

_SESSION: Final = 3.0


def run_ring(
    folder: Path, order: Sequence[str], *, pace: float, pause_every: int, **options: Any
) -> tuple[list[Struck], list[Checked]]:
    """Let the faults strike while commands flow.

    :param pace: commands a second.
    :param options: further options of :class:`Engine`.
    """
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    faults: list[Struck] = []
    checks: list[Checked] = []
    with (
        own_servers(int(_SESSION * 1000)) as servers,
        own_world(servers, TEMPLATE) as world,
        set_scene(
            world.model_copy(update={"batch_size": 200}),
            folder,
            seed=SEED,
            pace=pace,
            commands=1_000_000,
            session_seconds=_SESSION,
            clocks=True,
        ) as scene,
    ):
        for found in Engine(scene, SEED, order, pause_every=pause_every, **options).run():
            print(found)
            if isinstance(found, Struck):
                faults.append(found)
            else:
                checks.append(found)
    return faults, checks
