"""Run scenarios in rounds, each once per round, so that drift of the machine affects all alike."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Sequence

from bench.context import Bench, Scenario
from bench.registry import GROUPS, METRICS, PROFILE_SCENARIOS, Group

#: Progress hook: scenario, round, number of rounds, seconds taken (``None`` at the start).
OnProgress = Callable[[str, int, int, float | None], None]


def wanted_scenarios(only: Sequence[str]) -> set[str]:
    """Scenarios that the named metrics need; without names, all of them and those of the profile.

    :raises ValueError: a metric is unknown.
    """
    known = {metric.id: metric for metric in METRICS}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ValueError(f"unknown metric: {', '.join(unknown)}; known: {', '.join(known)}")
    chosen = [known[name] for name in only] or list(known.values())
    scenarios = {scenario for metric in chosen for scenario in metric.scenarios}
    return scenarios if only else scenarios | set(PROFILE_SCENARIOS)


def plan(bench: Bench, scenarios: Iterable[str]) -> list[tuple[str, Scenario, int, int]]:
    """Remaining steps, in order: name, scenario, round number, number of rounds."""
    chosen = set(scenarios)
    return [
        step
        for group in GROUPS
        for number in range(group.rounds(bench.sizes))
        for step in _round(bench, group, chosen, number)
    ]


def _round(
    bench: Bench, group: Group, chosen: set[str], number: int
) -> Iterable[tuple[str, Scenario, int, int]]:
    for name, scenario in group.scenarios.items():
        if name in chosen and bench.samples.count(name) <= number:
            yield name, scenario, number, group.rounds(bench.sizes)


def run(bench: Bench, scenarios: Iterable[str], on_progress: OnProgress) -> None:
    """Run the remaining steps; each sample is saved at once. A scenario that fails is not run again."""
    failed: set[str] = set()
    for name, scenario, number, rounds in plan(bench, scenarios):
        if name in failed:
            continue
        on_progress(name, number + 1, rounds, None)
        began = time.monotonic()
        try:
            sample = scenario(bench)
        except Exception as error:  # noqa: BLE001 - one failing scenario must not hide the others
            failed.add(name)
            traceback.print_exc()
            sample = {"error": f"{type(error).__name__}: {error}"[:500]}
        bench.samples.add(name, sample)
        on_progress(name, number + 1, rounds, time.monotonic() - began)
