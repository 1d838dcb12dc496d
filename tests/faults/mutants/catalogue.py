"""Catalogue of mutants: each patches one invariant away, only in the process that requests it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final

#: Exposing scenario, a key of ``scenario.SCENARIOS``; or ``test:<node id>`` of a test that must fail.
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

    :param bug: description of the bug, in one line.
    :param exposed_by: scenario or test that must catch it.
    """

    name: str
    bug: str
    exposed_by: str
    patch: Callable[[], None]


MUTANTS: Final[dict[str, Mutant]] = {}


def mutant(bug: str, exposed_by: str = PLAIN) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Register a patch under its function's name."""

    def enter(patch: Callable[[], None]) -> Callable[[], None]:
        name = patch.__name__.replace("_", "-")
        MUTANTS[name] = Mutant(name, bug, exposed_by, patch)
        return patch

    return enter


def load() -> dict[str, Mutant]:
    """Load the catalogue: every module of this folder named ``of_…``."""
    for path in sorted(Path(__file__).parent.glob("of_*.py")):
        import_module(f"tests.faults.mutants.{path.stem}")
    return MUTANTS
