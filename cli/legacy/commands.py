"""``interactions legacy import``: bring the rows of an existing installation in."""

from __future__ import annotations

import json
import sys
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cli.console import console
from runtime.settings import Settings, load_settings
from schemas.errors import InteractionsError, Retry

if TYPE_CHECKING:
    from cli.legacy.chunks import Options
    from cli.legacy.report import ImportReport
    from cli.legacy.source import Source

_HELP = (
    "Import activities, todos, interactions and their customers from CSV files or an Open Mercato database."
    "\n\nOld rows go into the frozen legacy tables, for `interactions backfill` to move. Customers, deals and"
    " interaction types are sent as commands. Every row is counted; docs/import.md has the rules on broken"
    " values. Repeating an import changes nothing, and completes one that was cut off.\n\n"
    "Exit status: 0 every row was handled; 1 rows were not imported (each is listed with its file and line or"
    " id); 2 the source cannot be read, lacks a column or is encrypted, and nothing was imported; 75 a server"
    " is unavailable; 130 interrupted."
)
_EXAMPLES = """
[bold]Examples[/bold]

  interactions legacy import --from csv:export --dry-run           the report; writes nothing

  interactions legacy import --from csv:export

  interactions legacy import --from postgres:postgresql://reader@db:5432/mercato --json
"""
_DUTY = "legacy-import"
_CSV = "csv:"
_POSTGRES = "postgres:"


def register(app: typer.Typer) -> None:
    """Add ``legacy``."""
    group = typer.Typer(name="legacy", help="Bring an existing installation's rows in.", no_args_is_help=True)
    # Without a callback, typer would drop the name of a single command.
    group.callback()(lambda: None)
    group.command("import", help=_HELP, epilog=_EXAMPLES)(import_rows)
    app.add_typer(group)


def import_rows(
    *,
    source: Annotated[
        str,
        typer.Option("--from", metavar="csv:DIR|postgres:URL", help="Directory of CSV files, or libpq URL."),
    ],
    tenant: Annotated[UUID | None, typer.Option(help="Only this tenant; by default all.")] = None,
    include_private: Annotated[
        bool,
        typer.Option(
            "--include-private",
            help="Also import interactions that only their author may see. Here everyone who may see the"
            " customer will see them.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report only; write nothing.")] = False,
    chunk_rows: Annotated[int, typer.Option(min=1, max=100_000, help="Rows per transaction.")] = 5_000,
    timeout: Annotated[
        float,
        typer.Option(
            min=0.1, help="Seconds without progress after which the outcome of a command is unknown."
        ),
    ] = 60.0,
    max_shown: Annotated[int, typer.Option(min=0, help="Rows that were not imported to list at most.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Import an installation."""
    from cli.legacy.chunks import Options
    from cli.legacy.report_view import show_report

    options = Options(
        tenant=str(tenant) if tenant else None,
        include_private=include_private,
        dry_run=dry_run,
        chunk_rows=chunk_rows,
        timeout=timeout,
    )
    report = _run(load_settings(), source, options, max_shown)
    if as_json:
        sys.stdout.write(json.dumps(report.to_json()) + "\n")
    else:
        show_report(console(), report)
    raise typer.Exit(report.exit_code())


def _run(settings: Settings, given: str, options: Options, max_shown: int) -> ImportReport:
    from cli.legacy.chunks import ChunkReader
    from cli.legacy.ciphertext import encrypted
    from cli.legacy.importer import Importer
    from cli.legacy.report import ImportReport, TableReport
    from cli.legacy.report_view import progress_line
    from cli.legacy.source import REQUIRED, check_columns, ignored_columns
    from runtime.postgres import Outage, connect
    from sinks.leader_lock import resign, try_lead
    from sinks.legacy_import.staging import create_staging

    with ExitStack() as resources:
        source = _open(settings, given, options, resources)
        check_columns(source)
        if (place := source.find_ciphertext()) is not None:
            raise encrypted(place)
        # Closed only: its own block would end with a statement, which an interrupted connection cannot send.
        connection = resources.enter_context(
            closing(connect(settings, application_name="interactions-import", autocommit=True))
        )
        if not try_lead(connection, _DUTY):
            raise Retry("Another import is running. Nothing was imported; repeat it when that one has ended.")
        create_staging(connection)
        report = ImportReport(source.name, options.dry_run, max_shown, ignored_files=source.ignored)
        report.tables = {
            name: TableReport(name in source.tables, ignored=ignored_columns(source, name))
            for name in REQUIRED
        }
        started = time.monotonic()
        try:
            with progress_line() as on_progress:
                reader = ChunkReader(source, options, report, on_progress)
                Importer(settings, connection, reader).run()
        except KeyboardInterrupt:
            report.interrupted = True
        except Outage:
            report.failure, report.unavailable = "the connection to Postgres was lost", True
        except InteractionsError as error:
            report.failure, report.unavailable = str(error), isinstance(error, Retry)
        if not report.interrupted and not report.unavailable:
            # The locks of a closed session are released a moment later; the next import may start at once.
            resign(connection, _DUTY)
        report.seconds = time.monotonic() - started
    return report


def _open(settings: Settings, given: str, options: Options, resources: ExitStack) -> Source:
    if given.startswith(_CSV):
        from cli.legacy.csv_source import CsvSource

        return CsvSource(Path(given.removeprefix(_CSV)))
    if given.startswith(_POSTGRES):
        from cli.legacy.postgres_source import PostgresSource
        from sinks.legacy_import.open_mercato import open_mercato

        url = given.removeprefix(_POSTGRES)
        # A plain URL begins with the same word.
        url = f"{_POSTGRES}{url}" if url.startswith("//") else url
        return PostgresSource(resources.enter_context(open_mercato(settings, url, options.tenant)))
    raise typer.BadParameter("must be csv:DIR or postgres:URL", param_hint="--from")
