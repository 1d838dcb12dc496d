"""``python -m tests.faults.mutants.check [NAME…]``: run mutants and write their table into the docs."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from tests.faults.mutants.catalogue import load
from tests.faults.mutants.scenario import Found, expose
from tests.faults.report import DOCUMENT, circumstances, replace_part
from tests.harness.servers import TEMPLATE, own_servers
from tests.stack_fixtures import own_world

console = Console()
#: Mutants that run at once; they wait most of the time.
_LANES = 2
_NOT_CAUGHT = "**not caught**"


def main(
    names: Annotated[list[str] | None, typer.Argument(help="Mutants to run; default: all.")] = None,
    write: Annotated[bool, typer.Option(help="Write the rows into docs/reliability.md.")] = True,
    controls: Annotated[bool, typer.Option(help="First run every scenario without a bug.")] = True,
) -> None:
    """Run mutants, two at a time; exit 1 if one is not caught, or if a control is not clean."""
    catalogue = load()
    wanted = names or list(catalogue)
    wrong = [name for name in wanted if name not in catalogue]
    if wrong:
        sys.exit(f"unknown mutant: {', '.join(wrong)}; known: {', '.join(catalogue)}")
    rows: list[tuple[str, Found]] = []
    dirty: dict[str, Found] = {}
    with own_servers() as servers:

        def run(name: str, exposed_by: str) -> Found:
            began = time.monotonic()
            with own_world(servers, TEMPLATE) as world:
                found = expose(world, name, exposed_by)
            shown = ", ".join(f"{check}: {what}" for check, what in found.items()) or "nothing"
            console.print(
                f"{name} ({exposed_by}, {time.monotonic() - began:.0f} s): {shown[:300]}", markup=False
            )
            return found

        with ThreadPoolExecutor(_LANES) as lanes:
            if controls:
                used = sorted({catalogue[name].exposed_by for name in wanted})
                clean = lanes.map(lambda exposed_by: run("none", exposed_by), used)
                dirty = {exposed_by: found for exposed_by, found in zip(used, clean, strict=True) if found}
            for name, found in zip(
                wanted, lanes.map(lambda name: run(name, catalogue[name].exposed_by), wanted), strict=True
            ):
                rows.append((name, found))
                if write and not names:  # after each one, so that an interrupted run keeps its results
                    replace_part("mutants", _text(rows, dirty, controls), Path(DOCUMENT))
    if write and names:
        replace_part("mutants", _merged(rows), Path(DOCUMENT))
    missed = [name for name, found in rows if not found]
    console.print(f"{len(rows) - len(missed)} of {len(rows)} caught; missed: {missed or 'none'}; "
                  f"controls not clean: {list(dirty) or 'none'}")  # fmt: skip
    sys.exit(1 if missed or dirty else 0)


def _text(rows: list[tuple[str, Found]], dirty: dict[str, Found], controls: bool) -> str:
    catalogue = load()
    caught = sum(bool(found) for _, found in rows)
    lines = [
        circumstances(),
        "",
        f"{caught} of {len(rows)} caught; the catalogue has {len(catalogue)}. Scenarios without a mutant: "
        + (("all clean." if not dirty else f"not clean: {', '.join(dirty)}.") if controls else "not run."),
        "",
        "| mutant | bug | exposed by | caught by |",
        "|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(name, found) for name, found in rows)])


def _row(name: str, found: Found) -> str:
    entry = load()[name]
    by = ", ".join(found) if found else _NOT_CAUGHT
    return f"| `{name}` | {entry.bug} | {entry.exposed_by.rpartition('::')[2]} | {by} |"


def _merged(rows: list[tuple[str, Found]]) -> str:
    """The table of the page with these rows replaced, and where they come from."""
    page = Path(DOCUMENT).read_text()
    lines = (
        page.partition("<!-- begin mutants -->")[2].partition("<!-- end mutants -->")[0].strip().splitlines()
    )
    replaced = {name: _row(name, found) for name, found in rows}
    lines = [replaced.get(line.split("`")[1], line) if line.startswith("| `") else line for line in lines]
    shown = [line for line in lines if line.startswith("| `")]
    caught = sum(_NOT_CAUGHT not in line for line in shown)
    verdict = f"{caught} of {len(shown)} caught; " + lines[2].partition("; ")[2]
    later = f"Of a later run: {', '.join(f'`{name}`' for name in replaced)} ({circumstances()})."
    return "\n".join([lines[0], "", f"{verdict} {later}", *lines[3:]])


if __name__ == "__main__":
    typer.run(main)
