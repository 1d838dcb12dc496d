"""Human-readable publishing report: progress on standard error, tables on standard output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.console import table
from cli.publish.report import OUTCOMES, Report

_MEANING = {
    "applied": "applied and committed",
    "no_op": "valid, nothing to change",
    "duplicate": "already processed under the same id",
    "rejected": "invalid or not allowed; nothing was changed",
}


@contextmanager
def progress_bar(total: int | None) -> Iterator[Callable[[Report], None]]:
    """A progress bar on standard error, if that is a terminal."""
    errors = Console(stderr=True)
    if not errors.is_terminal:
        yield lambda _: None
        return
    columns = (
        TextColumn("outcomes"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("outcomes", total=total, counts="")

        def show(report: Report) -> None:
            rejected = report.outcomes["rejected"]
            counts = f"{report.lines} read" + (f", {rejected} rejected" if rejected else "")
            progress.update(task, completed=report.completed, counts=counts)

        yield show


def show_report(console: Console, report: Report, *, timeout: float) -> None:
    """Print the counts, the first failures, and what to do about them."""
    console.print(_counts(report))
    if report.rejections:
        console.print(_rejections(report))
    for fault in report.unsendable:
        console.print(f"line {fault.number}: not sent ({fault.code}): {fault.detail}", markup=False)
    if report.not_sent > len(report.unsendable):
        console.print(f"… and {report.not_sent - len(report.unsendable)} more lines that were not sent")
    if report.failure:
        console.print(f"Publishing ended early: {report.failure}", markup=False, soft_wrap=True)
    if report.unknown:
        lines = ", ".join(map(str, report.unknown_lines)) + (
            ", …" if report.unknown > len(report.unknown_lines) else ""
        )
        reason = "before the interruption" if report.interrupted else f"within {timeout:g} seconds"
        console.print(
            f"The outcome of {report.unknown} commands is unknown (lines {lines}): no result {reason}. "
            "They may still be applied. Check that the applier is running (interactions status). Publishing "
            "the same file again is safe: applied commands return duplicate.",
            soft_wrap=True,
        )
    if not report.input_read:
        console.print("The input was not read to its end; the remaining lines are not counted.")


def _counts(report: Report) -> Table:
    counts = table(f"{report.lines} commands in {report.seconds:.1f} s")
    counts.add_column("outcome")
    counts.add_column("commands", justify="right")
    counts.add_column("meaning")
    for name in OUTCOMES:
        if report.outcomes[name] or not report.accepted:
            counts.add_row(name, str(report.outcomes[name]), _MEANING[name])
    for name, count, meaning in (
        ("accepted", report.accepted, "acknowledged by Kafka; not waiting for outcomes"),
        ("not sent", report.not_sent, "not in the commands topic"),
        ("unknown", report.unknown, "sent, no result in time"),
    ):
        if count:
            counts.add_row(name, str(count), meaning)
    return counts


def _rejections(report: Report) -> Table:
    total = report.outcomes["rejected"]
    shown = len(report.rejections)
    title = f"first {shown} of {total} rejections" if total > shown else f"{total} rejected"
    rows = table(title)
    rows.add_column("line", justify="right")
    rows.add_column("code", no_wrap=True)
    rows.add_column("detail", overflow="fold")
    rows.add_column("field", overflow="fold")
    for rejection in sorted(report.rejections, key=lambda rejection: rejection.line):
        problem = rejection.problem
        rows.add_row(
            str(rejection.line),
            escape(str(problem.get("code", "rejected"))),
            escape(_detail(problem)),
            escape(_fields(problem)),
        )
    return rows


def _detail(problem: dict[str, Any]) -> str:
    """Details per field if the problem has them, otherwise the detail of the problem."""
    details = [str(error["detail"]) for error in problem.get("errors") or [] if error.get("detail")]
    if details and problem.get("code") == "validation_failed":
        return "; ".join(dict.fromkeys(details))
    return str(problem.get("detail", "no detail given"))


def _fields(problem: dict[str, Any]) -> str:
    fields = [error.get("pointer") or error.get("attribute") for error in problem.get("errors") or []]
    return ", ".join(field for field in fields if field)
