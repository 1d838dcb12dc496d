"""``python -m tests.faults.recovery``: recovery time per kind of fault, one at a time, against its goal."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from tests.faults.engine import CheckResult, Engine
from tests.faults.lanes import FaultOutcome
from tests.faults.report import recovery_ratios, recovery_text, replace_part
from tests.faults.testbed import start_testbed
from tests.harness.servers import TEMPLATE, own_servers
from tests.stack_fixtures import own_world

#: Kind → maximum: first progress ÷ session timeout after a kill, drain ÷ outage after an outage.
GOALS: Final = {
    "applier: kill -9": 2.0,
    "postgres: immediate stop": 3.0,
    "postgres: connections cut": 3.0,
    "postgres: half-open": 3.0,
    "broker: kill -9": 3.0,
    "broker: connections cut": 3.0,
    "broker: half-open": 3.0,
}
console = Console()


def main(
    runs: Annotated[int, typer.Option(min=1, help="Runs per kind.")] = 3,
    pace: Annotated[float, typer.Option(min=1, help="Commands per second.")] = 200.0,
    only: Annotated[list[str] | None, typer.Option(help="Kinds; default: all with a goal.")] = None,
    write: Annotated[bool, typer.Option(help="Write the table into docs/reliability.md.")] = True,
    session: Annotated[float, typer.Option(min=1, help="Session timeout in seconds.")] = 10.0,
    heartbeat: Annotated[float, typer.Option(min=0.1, help="Seconds between heartbeats.")] = 2.0,
    logs: Annotated[Path | None, typer.Option(help="Folder to keep the role logs in.")] = None,
) -> None:
    """Inject faults one by one, each after recovery; exit 1 if a goal is missed or the audit is not clean."""
    kinds = only or list(GOALS)
    outcomes: list[FaultOutcome] = []
    clean = True
    with (
        tempfile.TemporaryDirectory(prefix="recovery-") as folder,
        own_servers(int(session * 1000), int(heartbeat * 1000)) as servers,
        own_world(servers, TEMPLATE) as world,
        start_testbed(
            world,
            logs or Path(folder),
            seed=1,
            pace=pace,
            commands=10_000_000,
            session_seconds=session,
        ) as testbed,
    ):
        for found in Engine(testbed, 1, kinds * runs, pause_every=10**6, wait_for_recovery=True).run():
            if isinstance(found, CheckResult):
                clean = found.clean
            else:
                outcomes.append(found)
            console.print(found, markup=False)
    text = recovery_text(outcomes, {kind: GOALS[kind] for kind in kinds if kind in GOALS}, session)
    if write:
        replace_part("recovery", text)
    console.print(text, markup=False)
    missed = [f for f in outcomes if f.kind in GOALS and recovery_ratios([f], session)[0] > GOALS[f.kind]]
    sys.exit(1 if missed or not clean else 0)


if __name__ == "__main__":
    typer.run(main)
