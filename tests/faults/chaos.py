"""``python -m tests.faults.chaos``: inject hundreds of faults under a million commands, and report.

Ctrl-C ends a run early: the faults so far are drained, audited and reported. ``--resume`` continues earlier
runs with the same seed where they ended.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults.engine import CheckResult, Engine, NoProgressError
from tests.faults.kinds import DECK, KINDS, schedule
from tests.faults.lanes import FaultOutcome
from tests.faults.report import ROOT, chaos_text, replace_part
from tests.faults.testbed import start_testbed
from tests.harness.servers import TEMPLATE, own_servers
from tests.stack_fixtures import own_world

SESSION_SECONDS = 3.0
RECORD = ROOT / ".chaos" / "run.jsonl"
_QUICK = (30, 20_000)
#: Enough for each crash point to occur twenty times.
_FAULTS = 10 * DECK
#: Names of the entries in the record file.
_NAMES = {FaultOutcome: "Struck", CheckResult: "Checked"}
console = Console(soft_wrap=True)


def main(
    commands: Annotated[int, typer.Option(min=100, help="Commands to publish.")] = 1_000_000,
    faults: Annotated[int, typer.Option(min=1, help="Faults to inject.")] = _FAULTS,
    seed: Annotated[int | None, typer.Option(help="Determines the faults and the commands.")] = None,
    pace: Annotated[float, typer.Option(min=1, help="Commands per second.")] = 450.0,
    pause_every: Annotated[int, typer.Option(min=1, help="Faults between two checks.")] = 55,
    minutes: Annotated[float, typer.Option(min=0, help="Time limit; 0: none.")] = 0.0,
    only: Annotated[list[str] | None, typer.Option(help="Kinds of faults; default: all.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few minutes: each kind about once.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue after the last recorded fault.")] = False,
    write: Annotated[bool, typer.Option(help="Write the table into docs/reliability.md.")] = True,
    record: Annotated[Path, typer.Option(help="File for faults and checks.")] = RECORD,
) -> None:  # fmt: skip
    """Inject faults while commands flow; exit 1 if anything is lost, doubled, inverted or stuck."""
    if quick:
        faults, commands = _QUICK
    if only and (wrong := set(only) - set(KINDS)):
        sys.exit(f"unknown fault: {', '.join(sorted(wrong))}; known: {', '.join(KINDS)}")
    done, checks, known = _read(record) if resume else ([], [], None)
    seed = known if known is not None else seed if seed is not None else int(time.time())
    console.print(f"seed {seed}; replay with --seed {seed}, or INTERACTIONS_CHAOS_SEED={seed} in the tests")
    record.parent.mkdir(parents=True, exist_ok=True)
    asked: list[int] = []
    before = signal.signal(signal.SIGINT, lambda *_: asked.append(1))
    deadline = time.monotonic() + minutes * 60 if minutes else None
    failure: str | None = None
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    bar = Progress(*columns, console=console)
    with (
        tempfile.TemporaryDirectory(prefix="chaos-") as logs,
        own_servers(int(SESSION_SECONDS * 1000)) as servers,
        own_world(servers, TEMPLATE) as world,
        record.open("a" if resume else "w") as kept,
        start_testbed(
            world,
            Path(logs),
            seed=seed,
            pace=pace,
            commands=100 * commands,  # never runs dry while faults are injected
            session_seconds=SESSION_SECONDS,
            entities=1000,
            relabels=0.0005,
            clocks=True,
        ) as testbed,
        bar,
    ):
        kept.write(json.dumps({"seed": seed}) + "\n")
        task = bar.add_task("faults", total=faults, completed=len(done))
        engine = Engine(
            testbed,
            seed,
            _order(seed, faults, only),
            pause_every,
            skip={fault.number for fault in done},
            stopping=lambda: bool(asked) or (deadline is not None and time.monotonic() > deadline),
            commands=commands if not minutes else 0,
            lanes=True,
        )
        earlier = checks[-1] if checks else None
        try:
            for found in engine.run():
                entry = _since(found, earlier)
                kept.write(json.dumps({_NAMES[type(entry)]: asdict(entry)}) + "\n")
                kept.flush()
                if isinstance(entry, FaultOutcome):
                    done.append(entry)
                    bar.update(task, advance=1, description=entry.kind[:44].ljust(44))
                else:
                    checks.append(entry)
                    bar.console.print(
                        f"{time.strftime('%T')} after {entry.after} faults: {entry.acked} acknowledged,"
                        f" lost {entry.lost}, doubled {entry.doubled}, inverted {entry.inverted}, audit"
                        f" {entry.audit or ('clean' if entry.audited else 'not run')}"
                    )
        except (NoProgressError, AssertionError) as stuck:
            failure = str(stuck)
            console.print(f"[red]{failure}[/red]")
        if failure or not all(check.clean for check in checks):
            _keep(Path(logs), record.parent / f"logs-{seed}")
    signal.signal(signal.SIGINT, before)
    how = f"Seed {seed}, {pace:g} commands per second" + (", ended early" if asked or deadline else "")
    if failure:
        how += f". **Failed**: {failure}"
    text = chaos_text(done, checks, how)
    if write:
        replace_part("chaos", text)
    console.print(text, markup=False)
    sys.exit(1 if failure or not all(check.clean for check in checks) else 0)


def _keep(logs: Path, place: Path) -> None:
    """Copy the ends of the roles' logs."""
    place.mkdir(exist_ok=True)
    for log in logs.glob("*.log"):
        (place / log.name).write_bytes(log.read_bytes()[-20_000_000:])
    console.print(f"role logs: {place}")


def _order(seed: int, faults: int, only: list[str] | None) -> list[str]:
    return [only[number % len(only)] for number in range(faults)] if only else schedule(seed, faults)


def _read(record: Path) -> tuple[list[FaultOutcome], list[CheckResult], int | None]:
    faults: list[FaultOutcome] = []
    checks: list[CheckResult] = []
    seed = None
    for line in record.read_text().splitlines():
        for kind, value in json.loads(line).items():
            if kind == "seed":
                seed = int(value)
            elif kind == _NAMES[FaultOutcome]:
                faults.append(FaultOutcome(**value))
            else:
                checks.append(CheckResult(**value))
    return faults, checks, seed


def _since(found: FaultOutcome | CheckResult, earlier: CheckResult | None) -> FaultOutcome | CheckResult:
    """Add the totals of the earlier runs."""
    if isinstance(found, FaultOutcome) or earlier is None:
        return found
    return replace(
        found,
        **{
            name: getattr(found, name) + getattr(earlier, name)
            for name in ("acked", "lost", "doubled", "inverted", "results", "events")
        },
    )


if __name__ == "__main__":
    typer.run(main)
