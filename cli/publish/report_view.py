"""A publishing report for people: progress on standard error, tables on standard output."""

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
    "applied": "carried out",
    "no_op": "nothing to change",
    "duplicate": "carried out before under the same id",
    "rejected": "refused, with a reason",
}


@contextmanager
def progress_bar(total: int | None) -> Iterator[Callable[[Report], None]]:
    """A progress bar on standard error; silent when that is not a terminal."""
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
            progress.update(task, completed=report.settled, counts=counts)

        yield show


def show_report(console: Console, report: Report, *, timeout: float) -> None:
    """The counts, the first failures, and what to do about them."""
    console.print(_counts(report))
    if report.rejections:
        console.print(_rejections(report))
    for fault in report.unsendable:
        console.print(f"line {fault.number}: not sent ({fault.code}): {fault.detail}", markup=False)
    if report.not_sent > len(report.unsendable):
        console.print(f"… and {report.not_sent - len(report.unsendable)} more lines that were not sent")
    if report.failure:
        console.print(f"It broke off: {report.failure}", markup=False, soft_wrap=True)
    if report.unknown:
        lines = ", ".join(map(str, report.unknown_lines)) + (
            ", …" if report.unknown > len(report.unknown_lines) else ""
        )
        reason = "before it was interrupted" if report.interrupted else f"for {timeout:g} seconds"
        console.print(
            f"The outcome of {report.unknown} commands is unknown (lines {lines}): none arrived {reason}. "
            "They may still be carried out. See whether the applier runs (interactions status); publishing "
            "the same file again is safe: what was carried out comes back as duplicate.",
            soft_wrap=True,
        )
    if not report.input_read:
        console.print("The input was not read to its end; the lines after that are in no count.")


def _counts(report: Report) -> Table:
    counts = table(f"{report.lines} commands in {report.seconds:.1f} s")
    counts.add_column("outcome")
    counts.add_column("commands", justify="right")
    counts.add_column("meaning")
    for name in OUTCOMES:
        if report.outcomes[name] or not report.accepted:
            counts.add_row(name, str(report.outcomes[name]), _MEANING[name])
    for name, count, meaning in (
        ("accepted", report.accepted, "stored by Kafka; outcomes were not waited for"),
        ("not sent", report.not_sent, "never left this machine"),
        ("unknown", report.unknown, "sent, no outcome seen"),
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
    rows.add_column("what is wrong", overflow="fold")
    rows.add_column("where", overflow="fold")
    for rejection in sorted(report.rejections, key=lambda rejection: rejection.line):
        problem = rejection.problem
        rows.add_row(
            str(rejection.line),
            escape(str(problem.get("code", "rejected"))),
            escape(_detail(problem)),
            escape(_where(problem)),
        )
    return rows


def _detail(problem: dict[str, Any]) -> str:
    """What is wrong with each field where that is known, else the problem as a whole."""
    details = [str(error["detail"]) for error in problem.get("errors") or [] if error.get("detail")]
    if details and problem.get("code") == "validation_failed":
        return "; ".join(dict.fromkeys(details))
    return str(problem.get("detail", "no detail was given"))


def _where(problem: dict[str, Any]) -> str:
    places = [error.get("pointer") or error.get("attribute") for error in problem.get("errors") or []]
    return ", ".join(place for place in places if place)
