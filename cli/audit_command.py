"""``interactions audit``: verify tables and topics against the commands."""

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

_HELP = """Verify the pipeline's invariants from its topics and tables, independently of the write path.

Every command has exactly one outcome; rows equal the commands applied in order; the projection is
correct; each event was published once and in order; state topics equal the tables. Nothing is written.
The audit can run while the pipeline works: unfinished work is reported as lag.

Each violation has an id. Violations whose ids are in the file given with --known are reported as known and
do not count.

Exit status: 0 no violations, or only known ones; 1 at least one violation that is not known (the rows
are named); 2 the audit could not run.
"""
_EXAMPLES = """Examples:

interactions audit

interactions audit --wait 60 --require-drained

interactions audit --known known-violations.txt

interactions audit --json | jq '.checks[] | select(.ok | not)'
"""


def register(app: typer.Typer) -> None:
    """Add ``audit``."""
    app.command("audit", help=_HELP, epilog=_EXAMPLES)(audit)


def audit(
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
    wait: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="First wait until the pipeline is idle.")
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
            help="Ids of known violations, one per line; # starts a comment.",
        ),
    ] = None,
    max_shown: Annotated[int, typer.Option(min=0, help="Maximum violations to print per check.")] = 10,
) -> None:
    """Verify the pipeline's invariants."""
    # Imported late: the auditor's clients take a second to load, which no other command should pay.
    from audit.quiescence import wait_for_quiescence
    from audit.report_view import show

    try:
        accepted = _ids(known)
        settings = load_settings()
        rested = wait_for_quiescence(settings, wait) if wait else True
        report = run_audit(settings)
    except InteractionsError as error:
        sys.stderr.write(f"The audit could not run: {error}\n")
        raise typer.Exit(2) from None
    report.mark_known(accepted)
    if not rested:
        report.note(f"the pipeline was not idle after {wait:g} s")
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), ensure_ascii=False) + "\n")
    else:
        show(report, Console(), max_shown)
    behind = require_drained and bool(report.lag or not rested)
    raise typer.Exit(0 if report.ok and not behind else 1)


def _ids(file: Path | None) -> frozenset[str]:
    """Read the ids in a file of known violations.

    :raises Stop: the file cannot be read.
    """
    if file is None:
        return frozenset()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"Cannot read the known violations in {file}: {type(error).__name__}") from None
    return frozenset(filter(None, (line.partition("#")[0].strip() for line in lines)))


def run_audit(settings: Settings) -> Report:
    """Audit the topics and tables of the settings, with a progress bar on a terminal.

    :raises InteractionsError: a topic or table cannot be read.
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

    # Millions of small objects live until the end; garbage collection would only traverse them in vain.
    gc.disable()
    try:
        with progress, live_history(settings, track) as history:
            return audit_history(history)
    finally:
        gc.enable()
