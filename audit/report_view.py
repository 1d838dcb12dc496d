"""Render a report for the terminal: one row per invariant, then the violations."""

from __future__ import annotations

from typing import Final

from rich.box import SIMPLE
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from audit.findings import Check, Report

_SHOWN: Final = 10
_APART: Final = ("finding", "known", "what")


def view(report: Report, shown: int = _SHOWN) -> RenderableType:
    """Table of checks, notes, and up to ``shown`` violations per check."""
    table = Table(title="Audit", title_justify="left", show_edge=False, pad_edge=False, box=SIMPLE)
    table.add_column("check", ratio=1)
    for name in ("checked", "trusted", "lag", "broken", "known"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for check in report.checks.values():
        table.add_row(
            Text.assemble((f"{check.name} {check.title}", "bold"), f"\n{check.invariant}"),
            *(f"{count:,}" for count in (check.checked, check.trusted, check.lag, check.failed, check.known)),
            Text("ok", "green") if check.failed == check.known else Text("BROKEN", "bold red"),
        )
    parts: list[RenderableType] = [table]
    parts.extend(_violations(check, shown) for check in report.checks.values() if check.failed)
    if report.lag:
        behind = ", ".join(f"{count:,} {name}" for name, count in report.lag.items())
        parts.append(Text(f"Lag (past the cut, not a violation): {behind}", "yellow"))
    parts.extend(Text(f"Note: {note}") for note in report.notes)
    known = sum(check.known for check in report.checks.values())
    clean = f"No new violation ({known:,} known)." if known else "No violation."
    verdict = clean if report.ok else "Invariants are violated; the rows and records are listed above."
    parts.append(Text(verdict, "bold green" if report.ok else "bold red"))
    return Group(*parts)


def _violations(check: Check, shown: int) -> Text:
    lines = [f"\n{check.name} {check.title}: {check.failed:,} violations"]
    for violation in check.violations[:shown]:
        where = " ".join(f"{name}={value}" for name, value in violation.items() if name not in _APART)
        mark = " (known)" if violation.get("known") else ""
        lines.append(f"  {violation['finding']}{mark} {violation['what']}\n    {where}")
    if check.failed > shown:
        lines.append(f"  … {check.failed - shown:,} more (--json names up to {len(check.violations):,})")
    return Text("\n".join(lines))


def show(report: Report, console: Console, shown: int = _SHOWN) -> None:
    """Print the report."""
    console.print(view(report, shown))
