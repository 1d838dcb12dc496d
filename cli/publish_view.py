"""A publishing report for people: progress on standard error, tables on standard output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.publish_report import OUTCOMES, Report

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
    table = Table(title=f"{report.lines} commands in {report.seconds:.1f} s", title_justify="left")
    table.add_column("outcome")
    table.add_column("commands", justify="right")
    table.add_column("meaning")
    for name in OUTCOMES:
        if report.outcomes[name] or not report.accepted:
            table.add_row(name, str(report.outcomes[name]), _MEANING[name])
    for name, count, meaning in (
        ("accepted", report.accepted, "stored by Kafka; outcomes were not waited for"),
        ("not sent", report.not_sent, "never left this machine"),
        ("unknown", report.unknown, "sent, no outcome seen"),
    ):
        if count:
            table.add_row(name, str(count), meaning)
    return table


def _rejections(report: Report) -> Table:
    total = report.outcomes["rejected"]
    shown = len(report.rejections)
    title = f"first {shown} of {total} rejections" if total > shown else f"{total} rejected"
    table = Table(title=title, title_justify="left")
    table.add_column("line", justify="right")
    table.add_column("code", overflow="fold")
    table.add_column("what is wrong", overflow="fold")
    table.add_column("where", overflow="fold")
    for rejection in report.rejections:
        problem = rejection.problem
        table.add_row(
            str(rejection.line),
            escape(str(problem.get("code", "rejected"))),
            escape(_detail(problem)),
            escape(_where(problem)),
        )
    return table


def _detail(problem: dict[str, Any]) -> str:
    details = [error["detail"] for error in problem.get("errors") or [] if error.get("detail")]
    return "; ".join(dict.fromkeys([str(problem.get("detail", "no detail was given")), *details]))


def _where(problem: dict[str, Any]) -> str:
    places = [error.get("pointer") or error.get("attribute") for error in problem.get("errors") or []]
    return ", ".join(place for place in places if place)
