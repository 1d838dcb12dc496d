"""``python -m bench``: run the scenarios, compute the metrics and check their floors."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from bench import page, results
from bench.context import Bench
from bench.deployment import make_templates
from bench.metric import Figure, Metric
from bench.registry import METRICS
from bench.rounds import plan, run, wanted_scenarios
from bench.samples import MissingSample, Samples
from bench.scale import plan_table
from bench.servers import durable_settings, own_servers
from bench.sizes import FULL, QUICK

_STATE = Path(__file__).parent / ".run"


def main() -> int:
    """Run the benchmark; exit code 0 if every chosen floor is reached, 1 if not, 130 if interrupted."""
    arguments = _arguments()
    only = [name for name in (arguments.only or "").split(",") if name]
    scenarios = wanted_scenarios(only)
    # Samples taken with other sizes are not comparable.
    state = _STATE / ("quick" if arguments.quick else "full")
    console = Console(stderr=True)
    conditions = f"{results.revision()} {arguments.scale}"
    if not arguments.resume or _conditions_of(state) != conditions:
        if arguments.resume:
            console.print("No interrupted run of this revision to resume; starting a new one.")
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
            status.update("creating the template databases")
            make_templates(servers, sizes)
            steps = len(plan(bench, scenarios))
            done = 0

            def on_progress(scenario: str, number: int, rounds: int, seconds: float | None) -> None:
                nonlocal done
                if seconds is None:
                    status.update(f"{scenario}, round {number} of {rounds} ({done} of {steps} done)")
                else:
                    done += 1
                    console.print(f"[dim]{scenario} {number}/{rounds}: {seconds:.1f} s[/dim]")

            run(bench, scenarios, on_progress)
    except KeyboardInterrupt:
        again = f"{'--quick ' if arguments.quick else ''}--resume"
        console.print(f"Interrupted. Samples are kept; resume with python -m bench {again}", soft_wrap=True)
        return 130
    figures = [(metric, metric.figure(bench.samples)) for metric in METRICS if not only or metric.id in only]
    if not only and arguments.scale == 1.0:
        _keep(bench.samples, figures, machine, versions, console)
    return report(figures, console)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller sizes: ten minutes on two cores")
    parser.add_argument("--only", metavar="P1,P5", help="run these metrics only; results are not written")
    parser.add_argument(
        "--resume", action="store_true", help="resume an interrupted run of the same revision"
    )
    parser.add_argument(
        "--scale",
        type=float,
        default=1.0,
        help="scale the sizes, to try the bench; results are not written",
    )
    return parser.parse_args()


def _conditions_of(state: Path) -> str | None:
    file = state / "conditions"
    return file.read_text() if file.exists() else None


def _keep(
    samples: Samples,
    figures: list[tuple[Metric, Figure]],
    machine: dict[str, object],
    versions: dict[str, str],
    console: Console,
) -> None:
    # Imported late: the plotting library takes a second to load, which the tests should not pay.
    from bench import plots

    results.write(
        {
            "machine": machine,
            "versions": versions,
            "metrics": {metric.id: results.entry(metric, figure) for metric, figure in figures},
        }
    )
    page.replace_part("metrics", page.conditions(machine, versions) + "\n\n" + page.table(figures))
    try:
        page.replace_part("profile", _profile_table(samples))
        drawn = plots.draw(samples)
        page.replace_part("growth", page.pictures(drawn))
        page.replace_part("plan", plan_table(samples, os.cpu_count() or 1))
    except MissingSample as reason:
        console.print(f"The profile, a plot or the capacity plan was not written: {reason}")


def _profile_table(samples: Samples) -> str:
    creates, mixed = (samples.all(name)[-1]["us"] for name in ("profile", "profile_mixed"))
    return page.profile_table(creates, mixed)


def report(figures: list[tuple[Metric, Figure]], console: Console) -> int:
    """Print the figures; return 1 if a floor is missed."""
    missed = [metric.id for metric, figure in figures if not metric.met(figure)]
    for metric, figure in figures:
        value = "no figure" if figure.value is None else f"{figure.value:.3g} {metric.unit}".strip()
        sign = "≤" if metric.upper else "≥"
        verdict = "[green]reached[/]" if metric.met(figure) else "[red]missed[/]"
        bounds = f"floor {sign} {metric.floor:g}  aim {sign} {metric.aim:g}"
        console.print(f"{metric.id:4} {value:>12}  {bounds}  {verdict}  {metric.title}", soft_wrap=True)
        if figure.value is None:
            console.print(f"     {figure.parts.get('missing')}", style="red", markup=False)
    if missed:
        console.print(f"Floors missed: {', '.join(missed)}", style="red")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
