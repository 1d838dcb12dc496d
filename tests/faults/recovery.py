"""``python -m tests.faults.recovery``: how long each fault is felt, one at a time, against its goal."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from tests.faults.engine import Checked, Engine
from tests.faults.lanes import Struck
from tests.faults.report import recovery_ratios, recovery_text, replace_part
from tests.faults.testbed import set_scene
from tests.harness.servers import TEMPLATE, own_servers
from tests.stack_fixtures import own_world

#: Kind → goal: first progress ÷ session timeout after the kill of a worker, drain ÷ outage after an outage.
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
    runs: Annotated[int, typer.Option(min=1, help="Runs of each kind.")] = 3,
    pace: Annotated[float, typer.Option(min=1, help="Commands a second.")] = 200.0,
    only: Annotated[list[str] | None, typer.Option(help="Kinds; all with a goal unless named.")] = None,
    write: Annotated[bool, typer.Option(help="Write the table into docs/reliability.md.")] = True,
    session: Annotated[float, typer.Option(min=1, help="Session timeout in seconds; as shipped.")] = 10.0,
    heartbeat: Annotated[float, typer.Option(min=0.1, help="Between heartbeats; as shipped.")] = 2.0,
    logs: Annotated[Path | None, typer.Option(help="Keep the logs of the roles here.")] = None,
) -> None:
    """Strike, wait until it is over, strike again; exit 1 when a goal is missed or an audit is not clean."""
    kinds = only or list(GOALS)
    struck: list[Struck] = []
    clean = True
    with (
        tempfile.TemporaryDirectory(prefix="recovery-") as folder,
        own_servers(int(session * 1000), int(heartbeat * 1000)) as servers,
        own_world(servers, TEMPLATE) as world,
        set_scene(
            world,
            logs or Path(folder),
            seed=1,
            pace=pace,
            commands=10_000_000,
            session_seconds=session,
        ) as scene,
    ):
        for found in Engine(scene, 1, kinds * runs, pause_every=10**6, patient=True).run():
            if isinstance(found, Checked):
                clean = found.clean
            else:
                struck.append(found)
            console.print(found, markup=False)
    text = recovery_text(struck, {kind: GOALS[kind] for kind in kinds if kind in GOALS}, session)
    if write:
        replace_part("recovery", text)
    console.print(text, markup=False)
    missed = [f for f in struck if f.kind in GOALS and recovery_ratios([f], session)[0] > GOALS[f.kind]]
    sys.exit(1 if missed or not clean else 0)


if __name__ == "__main__":
    typer.run(main)
