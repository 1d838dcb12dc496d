"""Human-readable report of an import: progress on standard error, tables on standard output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cli.console import table
from cli.legacy.report import ImportReport


@contextmanager
def progress_line() -> Iterator[Callable[[str, int], None]]:
    """A line with the current table and its rows on standard error; without a terminal, a line per table.

    The number of rows to come is unknown, so there is no percentage.
    """
    errors = Console(stderr=True, highlight=False)
    if not errors.is_terminal:
        seen: set[str] = set()

        def announce(name: str, _: int) -> None:
            if name not in seen:
                seen.add(name)
                errors.print(f"importing {name}")

        yield announce
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=errors,
                  transient=True) as progress:  # fmt: skip
        task = progress.add_task("starting", total=None)
        yield lambda name, rows: progress.update(task, description=f"{name}: {rows:,} rows")


def show_report(console: Console, report: ImportReport) -> None:
    """Print the counts per table, what was repaired, the first faults, and what to do about them."""
    title = f"{'Dry run of the import' if report.dry_run else 'Import'} from {report.source}"
    counts = table(f"{title} in {report.seconds:.1f} s")
    counts.add_column("table")
    for column in ("read", "would write" if report.dry_run else "written", "unchanged", "skipped", "broken"):
        counts.add_column(column, justify="right")
    notes = table("Rows left out, repairs and statuses")
    notes.add_column("table")
    notes.add_column("what", overflow="fold")
    notes.add_column("rows", justify="right")
    for name, each in report.tables.items():
        if not each.there:
            counts.add_row(name, "not there", "", "", "", "")
            continue
        skipped = each.skipped.total()
        counts.add_row(name, *map(str, (each.read, each.written, each.unchanged, skipped, each.broken)))
        for reason, number in sorted(each.skipped.items()):
            notes.add_row(name, f"skipped: {reason}", str(number))
        for note, number in sorted(each.notes.items()):
            notes.add_row(name, note.replace(":", ": "), str(number))
        if each.withdrawn:
            notes.add_row(name, "removed here: deleted or private at the source by now", str(each.withdrawn))
        if each.moved:
            notes.add_row(name, "of these, interactions here by now: delete them if need be", str(each.moved))
        for column in each.ignored:
            notes.add_row(name, f"column ignored: {column}", "")
    console.print(counts)
    if notes.row_count:
        console.print(notes)
    for file in report.ignored_files:
        console.print(f"not read: {file}", markup=False)
    for fault in sorted(report.faults, key=lambda fault: fault.order):
        console.print(f"{fault.place}: not imported: {fault.reason}", markup=False, soft_wrap=True)
    if report.failed_rows > len(report.faults):
        console.print(f"… and {report.failed_rows - len(report.faults)} more rows that were not imported")
    if report.failure:
        console.print(f"The import ended early: {report.failure}", markup=False, soft_wrap=True)
    if report.interrupted:
        console.print("Interrupted. What is written stays.")
    if report.interrupted or report.failed_rows or report.failure:
        console.print(
            "Repeat the import when the cause is removed: rows that are there already stay as they are."
        )
    elif not report.dry_run:
        console.print("Next: interactions backfill all --dry-run")
