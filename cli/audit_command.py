"""``interactions audit``: is what the tables and topics hold what the commands ask for?"""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from runtime.settings import Settings, load_settings
from schemas.errors import InteractionsError, Stop

if TYPE_CHECKING:
    from audit.findings import Report
    from audit.history import Record

_HELP = """Check the pipeline's laws on its topics and tables, independently of the code that wrote them.

Every command has exactly one outcome, the rows are what the commands give when applied in order, the
projection is right, each event came out once and in order, and the state topics show what the tables
hold. Nothing is written. The audit may run while the pipeline works: what is not done yet counts as lag.

Each violation has an id. With --known FILE the ids in the file are reported as known and do not count.

Exit status: 0 no law is broken, or only known violations; 1 at least one violation that is not known (the
rows are named); 2 it could not be audited.
"""
_EXAMPLES = """Examples:

interactions audit

interactions audit --wait 60 --require-drained

interactions audit --known looked-into.txt

interactions audit --json | jq '.checks[] | select(.ok | not)'
"""


def register(app: typer.Typer) -> None:
    """Add ``audit``."""
    app.command("audit", help=_HELP, epilog=_EXAMPLES)(audit)


def audit(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="First wait until the pipeline is at rest.")
    ] = 0.0,
    require_drained: Annotated[
        bool, typer.Option("--require-drained", help="Count remaining lag as a failure (exit 1).")
    ] = False,
    known: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Ids of violations that were looked into, one per line; # begins a comment.",
        ),
    ] = None,
    max_shown: Annotated[int, typer.Option(min=0, help="Violations printed for each check.")] = 10,
) -> None:
    """Check the pipeline's laws."""
    # The auditor's clients take a second to load, which the other commands do without.
    from audit.quiescence import wait_for_quiescence
    from audit.report_view import show

    try:
        accepted = _ids(known)
        settings = load_settings()
        rested = wait_for_quiescence(settings, wait) if wait else True
        report = run_audit(settings)
    except InteractionsError as error:
        sys.stderr.write(f"The audit could not be made: {error}\n")
        raise typer.Exit(2) from None
    report.mark_known(accepted)
    if not rested:
        report.note(f"the pipeline was not at rest after {wait:g} s")
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), ensure_ascii=False) + "\n")
    else:
        show(report, Console(), max_shown)
    behind = require_drained and bool(report.lag or not rested)
    raise typer.Exit(0 if report.ok and not behind else 1)


def _ids(file: Path | None) -> frozenset[str]:
    """The ids in a file of known violations.

    :raises Stop: it cannot be read.
    """
    if file is None:
        return frozenset()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"the known violations in {file} cannot be read: {type(error).__name__}") from None
    return frozenset(filter(None, (line.partition("#")[0].strip() for line in lines)))


def run_audit(settings: Settings) -> Report:
    """Audit the topics and tables of the settings, with a progress bar on a terminal.

    :raises InteractionsError: they cannot be read.
    """
    from audit.live import live_history
    from audit.run import audit as audit_history

    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
        transient=True,
    )

    def track(what: str, records: Iterable[Record], total: int) -> Iterable[Record]:
        return progress.track(records, total=total, description=what, update_period=0.5)

    # Millions of small objects that all live to the end: the collector would only walk them in vain.
    gc.disable()
    try:
        with progress, live_history(settings, track) as history:
            return audit_history(history)
    finally:
        gc.enable()
