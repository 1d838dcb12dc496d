"""Runs arms in rounds: every arm once a round, so that what drifts on the machine drifts for all of them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Sequence

from bench.context import Arm, Bench
from bench.registry import GROUPS, MEASURES, PORTRAIT, Group

#: Told of each sample: the arm, its number, of how many, and the seconds it took (``None``: it begins).
Told = Callable[[str, int, int, float | None], None]


def wanted_arms(only: Sequence[str]) -> set[str]:
    """The arms that the named measures need; all of them, and the portrait's, when none is named.

    :raises ValueError: a name is unknown.
    """
    known = {measure.id: measure for measure in MEASURES}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ValueError(f"there is no measure {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [known[name] for name in only] or list(known.values())
    arms = {arm for measure in chosen for arm in measure.arms}
    return arms if only else arms | set(PORTRAIT)


def plan(bench: Bench, arms: Iterable[str]) -> list[tuple[str, Arm, int, int]]:
    """What is still to run, in order: name, arm, number of the round, rounds in all."""
    chosen = set(arms)
    return [
        step
        for group in GROUPS
        for number in range(group.rounds(bench.sizes))
        for step in _round(bench, group, chosen, number)
    ]


def _round(bench: Bench, group: Group, chosen: set[str], number: int) -> Iterable[tuple[str, Arm, int, int]]:
    for name, arm in group.arms.items():
        if name in chosen and bench.samples.count(name) <= number:
            yield name, arm, number, group.rounds(bench.sizes)


def run(bench: Bench, arms: Iterable[str], told: Told) -> None:
    """Run what is left; every sample is kept at once. An arm that fails says why and is not run again."""
    failed: set[str] = set()
    for name, arm, number, rounds in plan(bench, arms):
        if name in failed:
            continue
        told(name, number + 1, rounds, None)
        began = time.monotonic()
        try:
            sample = arm(bench)
        except Exception as error:  # noqa: BLE001 - one arm that cannot be run must not hide the others
            failed.add(name)
            traceback.print_exc()
            sample = {"error": f"{type(error).__name__}: {error}"[:500]}
        bench.samples.add(name, sample)
        told(name, number + 1, rounds, time.monotonic() - began)
