"""A complete fault run for tests: servers, testbed and engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.faults.engine import CheckResult, Engine
from tests.faults.lanes import FaultOutcome
from tests.faults.testbed import start_testbed
from tests.harness.seed import SEED
from tests.harness.servers import TEMPLATE, own_servers
from tests.stack_fixtures import own_world

_SESSION: Final = 3.0


def run_faults(
    folder: Path, order: Sequence[str], *, pace: float, pause_every: int, **options: Any
) -> tuple[list[FaultOutcome], list[CheckResult]]:
    """Inject faults while commands flow; returns the faults and the checks.

    :param pace: commands per second.
    :param options: further options of :class:`Engine`.
    """
    print(f"repeat with INTERACTIONS_CHAOS_SEED={SEED}")
    faults: list[FaultOutcome] = []
    checks: list[CheckResult] = []
    with (
        own_servers(int(_SESSION * 1000)) as servers,
        own_world(servers, TEMPLATE) as world,
        start_testbed(
            world.model_copy(update={"batch_size": 200}),
            folder,
            seed=SEED,
            pace=pace,
            commands=1_000_000,
            session_seconds=_SESSION,
            clocks=True,
        ) as testbed,
    ):
        for found in Engine(testbed, SEED, order, pause_every=pause_every, **options).run():
            print(found)
            if isinstance(found, FaultOutcome):
                faults.append(found)
            else:
                checks.append(found)
    return faults, checks
