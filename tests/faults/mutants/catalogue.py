"""The catalogue: each mutant patches one law away, in the process that asks for it and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Final

#: What exposes a mutant: a scenario of ``scenario.SCENARIOS``, or ``test:<node id>`` of a failing test.
PLAIN: Final = "plain"
APPLIER_KILLED: Final = "applier killed before commit"
RESULTS_KILLED: Final = "applier killed between commit and results"
APPLIER_RESTARTED: Final = "applier killed at rest"
RELAY_KILLED: Final = "relay killed before its commit"
RELAY_RESTARTED: Final = "relay killed at rest"
OFFSETS_AHEAD: Final = "group offsets ahead of the database"


@dataclass(frozen=True)
class Mutant:
    """One deliberate bug.

    :param bug: what it does wrong, in one line.
    :param exposed_by: the scenario, or the test, in which it must be caught.
    """

    name: str
    bug: str
    exposed_by: str
    patch: Callable[[], None]


MUTANTS: Final[dict[str, Mutant]] = {}


def mutant(bug: str, exposed_by: str = PLAIN) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Enter a patch into the catalogue under its function's name."""

    def enter(patch: Callable[[], None]) -> Callable[[], None]:
        name = patch.__name__.replace("_", "-")
        MUTANTS[name] = Mutant(name, bug, exposed_by, patch)
        return patch

    return enter


def load() -> dict[str, Mutant]:
    """The whole catalogue."""
    for room in ("applier", "relay", "rules", "exchanges"):
        import_module(f"tests.faults.mutants.of_the_{room}")
    return MUTANTS
