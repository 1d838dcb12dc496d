"""Random two-way histories converge without duplicates, losses or loops."""

from __future__ import annotations

import os

import pytest

from runtime.postgres import Connection
from tests.harness.examples import first_of
from tests.simulation.core import Core
from tests.simulation.history import History

pytestmark = pytest.mark.integration
#: `make simulate` plays a thousand histories.
HISTORIES = int(os.environ.get("INTERACTIONS_SIMULATED_HISTORIES", "60"))
STEPS = 45


def play(connection: Connection, core: Core, seed: int, steps: int = STEPS) -> History:
    """Play and check one history."""
    history = History(connection, core, seed)
    history.run(steps)
    history.heal()
    history.check()
    return history


@pytest.mark.parametrize("tens", first_of(range(HISTORIES // 10)))
def test_random_histories_converge(servers: tuple[Connection, Core], tens: int) -> None:
    for seed in range(tens * 10, tens * 10 + 10):
        play(*servers, seed)
