"""``interactions publish``: send commands from a file and report the outcome of each."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from cli.console import console
from cli.publish.input_lines import count_lines
from cli.publish.publishing import LineSource, publishing
from cli.publish.report import Report
from cli.publish.report_view import progress_bar, show_report
from runtime.settings import Settings, load_settings

_HELP = (
    "Send commands and wait for the outcome of each.\n\n"
    "FILE contains JSON Lines: one structured CloudEvent per line (see docs/commands.md); - reads standard "
    "input. The record key is entityid. A line that cannot be sent (not JSON, no entityid) is reported with "
    "its line number; the other lines are still sent. Every line is counted once: applied, no_op, "
    "duplicate, rejected, not sent or unknown.\n\n"
    "Publishing a file again is safe: a command with the same id and content returns duplicate and changes "
    "nothing.\n\n"
    "Exit status: 0 success; 1 a command was rejected (unless --allow-rejected), not sent or unknown; "
    "130 interrupted."
)
_EXAMPLES = """
[bold]Examples[/bold]

  interactions publish week.jsonl                          wait for every outcome

  interactions publish week.jsonl --allow-rejected --json  for scripts

  my-export | interactions publish - --timeout 120         from a pipe
"""


def register(app: typer.Typer) -> None:
    """Add ``publish``."""
    app.command("publish", help=_HELP, epilog=_EXAMPLES)(publish)


def publish(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="JSON Lines file, or - for standard input.")],
    *,
    allow_rejected: Annotated[
        bool, typer.Option("--allow-rejected", help="Exit 0 even when commands were rejected.")
    ] = False,
    no_wait: Annotated[
        bool,
        typer.Option("--no-wait", help="Return once Kafka has the commands; report no outcomes."),
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Seconds without progress after which the rest counts as unknown.")
    ] = 30.0,
    max_shown: Annotated[int, typer.Option(min=0, help="Maximum number of failures to show in detail.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Send commands and wait for the outcome of each."""
    settings = load_settings()
    with ExitStack() as resources:
        stream, total = _open(file, resources)
        report = publish_stream(
            settings, stream, total=total, wait=not no_wait, timeout=timeout, max_shown=max_shown
        )
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), ensure_ascii=False) + "\n")
    else:
        show_report(console(), report, timeout=timeout)
    raise typer.Exit(report.exit_code(allow_rejected))


def publish_stream(
    settings: Settings,
    stream: BinaryIO,
    *,
    total: int | None = None,
    wait: bool = True,
    timeout: float = 30.0,
    max_shown: int = 10,
) -> Report:
    """Publish the lines of a stream, with a progress bar on a terminal.

    :param total: number of lines in the stream, if known.
    """
    with (
        progress_bar(total) as show,
        publishing(settings, wait=wait, timeout=timeout, max_shown=max_shown, on_progress=show) as publisher,
    ):
        return publisher.run(LineSource(stream))


def _open(file: str, resources: ExitStack) -> tuple[BinaryIO, int | None]:
    if file == "-":
        # Hazard: unbuffered. A thread blocked in a buffered reader aborts the interpreter at exit.
        return FileIO(0, "rb", closefd=False), None
    path = Path(file)
    try:
        total = count_lines(path) if path.is_file() else None
        return resources.enter_context(path.open("rb")), total
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from None
