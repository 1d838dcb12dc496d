"""``python -m bench``: measure everything, or some of it, and say whether the floors are reached."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench import page, plots, results
from bench.context import Bench
from bench.deployment import make_templates
from bench.metric import Figure, Measure
from bench.registry import MEASURES
from bench.rounds import plan, run, wanted_arms
from bench.samples import MissingSample, Samples
from bench.scale import plan_table
from bench.servers import durable_settings, own_servers
from bench.sizes import FULL, QUICK

_STATE = Path(__file__).parent / ".run"


def main() -> int:
    """The exit code: 0 when every floor of the chosen measures is reached, 1 when one is missed, 130 when
    interrupted."""
    arguments = _arguments()
    only = [name for name in (arguments.only or "").split(",") if name]
    arms = wanted_arms(only)
    # What was measured on other sizes is another measurement.
    state = _STATE / ("quick" if arguments.quick else "full")
    console = Console(stderr=True)
    conditions = f"{results.revision()} {arguments.scale}"
    if not arguments.resume or _conditions_of(state) != conditions:
        if arguments.resume:
            console.print("There is nothing to go on from at this revision; starting afresh.")
        shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True, exist_ok=True)
    (state / "conditions").write_text(conditions)
    sizes = QUICK if arguments.quick else FULL
    if arguments.scale != 1.0:
        sizes = replace(
            sizes,
            commands=int(sizes.commands * arguments.scale),
            growth_commands=int(sizes.growth_commands * arguments.scale),
            row_by_row=int(sizes.row_by_row * arguments.scale),
        )
    try:
        with console.status("starting servers") as status, ExitStack() as closing:
            servers = closing.enter_context(own_servers(status.update))
            machine = results.machine(durable_settings(servers), quick=arguments.quick)
            versions = results.versions(servers)
            bench = Bench(servers, sizes, Samples(state / "journal"), status.update, closing)
            status.update("making the databases that samples are copied from")
            make_templates(servers, sizes)
            steps = len(plan(bench, arms))
            done = 0

            def told(arm: str, number: int, rounds: int, seconds: float | None) -> None:
                nonlocal done
                if seconds is None:
                    status.update(f"{arm}, round {number} of {rounds} ({done} of {steps} done)")
                else:
                    done += 1
                    console.print(f"[dim]{arm} {number}/{rounds}: {seconds:.1f} s[/dim]")

            run(bench, arms, told)
    except KeyboardInterrupt:
        again = f"{'--quick ' if arguments.quick else ''}--resume"
        console.print(
            f"Interrupted. What was measured is kept: python -m bench {again} goes on.", soft_wrap=True
        )
        return 130
    figures = [
        (measure, measure.figure(bench.samples)) for measure in MEASURES if not only or measure.id in only
    ]
    if not only and arguments.scale == 1.0:
        _keep(bench.samples, figures, machine, versions, console)
    return report(figures, console)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small amounts: ten minutes on two cores")
    parser.add_argument("--only", metavar="P1,P5", help="these measures only; nothing is written")
    parser.add_argument("--resume", action="store_true", help="go on where an interrupted run has stopped")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="try the bench with less work; nothing is written"
    )
    return parser.parse_args()


def _conditions_of(state: Path) -> str | None:
    file = state / "conditions"
    return file.read_text() if file.exists() else None


def _keep(
    samples: Samples,
    figures: list[tuple[Measure, Figure]],
    machine: dict[str, object],
    versions: dict[str, str],
    console: Console,
) -> None:
    results.write(
        {
            "machine": machine,
            "versions": versions,
            "measures": {measure.id: results.entry(measure, figure) for measure, figure in figures},
        }
    )
    page.replace_part("measures", page.conditions(machine, versions) + "\n\n" + page.table(figures))
    try:
        page.replace_part("profile", page.profile_table(samples.all("profile")[-1]["us"]))
        drawn = plots.draw(samples)
        page.replace_part("growth", page.pictures(drawn))
        page.replace_part("plan", plan_table(samples, os.cpu_count() or 1))
    except MissingSample as reason:
        console.print(f"The profile, a plot or the plan is missing: {reason}")


def report(figures: list[tuple[Measure, Figure]], console: Console) -> int:
    """Print the figures; 1 when a floor is missed."""
    missed = [measure.id for measure, figure in figures if not measure.met(figure)]
    for measure, figure in figures:
        value = "no figure" if figure.value is None else f"{figure.value:.3g} {measure.unit}".strip()
        sign = "≤" if measure.upper else "≥"
        verdict = "[green]reached[/]" if measure.met(figure) else "[red]missed[/]"
        bounds = f"floor {sign} {measure.floor:g}  aim {sign} {measure.aim:g}"
        console.print(f"{measure.id:4} {value:>12}  {bounds}  {verdict}  {measure.title}", soft_wrap=True)
        if figure.value is None:
            console.print(f"     {figure.parts.get('missing')}", style="red", markup=False)
    if missed:
        console.print(f"Floors missed: {', '.join(missed)}", style="red")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
