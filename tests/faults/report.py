"""Write the tables of ``docs/reliability.md`` between their markers."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from tests.faults.engine import CheckResult
from tests.faults.kinds import KINDS
from tests.faults.lanes import FaultOutcome

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "reliability.md"


def replace_part(name: str, text: str, document: Path = DOCUMENT) -> None:
    """Replace the text between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.

    :raises ValueError: the page has no such markers.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, found, rest = document.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{document} has no part {name!r}")
    document.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")


def _revision() -> str:
    """Return the revision; a table that another tool has just written does not make it dirty."""

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        ).stdout.strip()

    changed = git(
        "status", "--porcelain", "--untracked-files=no", "--", ".", f":!{DOCUMENT.relative_to(ROOT)}"
    )
    return git("describe", "--always") + ("-dirty" if changed else "")


def circumstances() -> str:
    """Date, machine and versions on one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    commit = _revision()
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {os.cpu_count()} cores, {memory:.0f} GiB,"
        f" Linux {platform.release().split('-')[0]} · Python {platform.python_version()},"
        f" confluent-kafka {version('confluent-kafka')}, psycopg {version('psycopg')}"
        f" · revision {commit or 'unknown'}"
    )


def chaos_text(faults: list[FaultOutcome], checks: list[CheckResult], how: str) -> str:
    """Format the totals and the table per kind of one chaos run, complete or not."""
    last = checks[-1] if checks else None
    clean = sum(check.clean for check in checks)
    lines = [
        f"{circumstances()}",
        "",
        (
            f"{how}. {len(faults)} faults, {last.acked if last else 0:,} acknowledged commands,"
            f" {last.results if last else 0:,} results, {last.events if last else 0:,} events;"
            f" {len(checks)} checks, {sum(check.audited for check in checks)} of them with an audit;"
            f" {clean} of {len(checks)} clean."
        ),
        "",
        "| fault | runs | lost | doubled | inverted | first progress p50 | max | drain ÷ outage, max |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for kind in KINDS:
        mine = [fault for fault in faults if fault.kind == kind and fault.reached]
        if not mine:
            continue
        lost, doubled, inverted = _attributed(kind, faults, checks)
        waits = [fault.recovery for fault in mine if fault.recovery is not None]
        drains = [f.drain / f.outage for f in mine if f.drain is not None and f.outage]
        lines.append(
            f"| {kind} | {len(mine)} | {lost} | {doubled} | {inverted} |"
            f" {_seconds(median(waits)) if waits else '–'} | {_seconds(max(waits)) if waits else '–'} |"
            f" {f'{max(drains):.2f}' if drains else '–'} |"
        )
    missed = sum(not fault.reached for fault in faults)
    if missed:
        lines += ["", f"{missed} crash points were not reached in time and are not counted."]
    for check in checks:
        if not check.clean:
            found = ", ".join(f"{name}: {what[:1]}" for name, what in check.audit.items()) or "see the table"
            lines += ["", f"The check after fault {check.after} was not clean: {found}."]
    return "\n".join(lines)


def _attributed(kind: str, faults: list[FaultOutcome], checks: list[CheckResult]) -> tuple[int, int, int]:
    """Findings of the checks that follow a fault of this kind; one finding may count for several kinds."""
    totals, since, seen = [0, 0, 0], 0, (0, 0, 0)
    for check in checks:
        now = check.lost, check.doubled, check.inverted
        if any(since < fault.number <= check.after and fault.kind == kind for fault in faults):
            totals = [total + new - old for total, new, old in zip(totals, now, seen, strict=True)]
        since, seen = check.after, now
    return totals[0], totals[1], totals[2]


def recovery_text(faults: list[FaultOutcome], goals: dict[str, float], session_seconds: float) -> str:
    """Format each run of each kind against its goal.

    :param goals: kind → maximum ratio: first progress ÷ session timeout, or drain ÷ outage.
    """
    lines = [circumstances(), "", f"Session timeout {session_seconds:g} s.", ""]
    lines += ["| fault | metric | goal | runs | median | longest |", "|---|---|---:|---|---:|---:|"]
    for kind, goal in goals.items():
        mine = [fault for fault in faults if fault.kind == kind]
        if not mine:
            continue
        ratios = recovery_ratios(mine, session_seconds)
        outage = mine[0].outage is not None
        metric = "drain ÷ outage" if outage else "first progress ÷ session"
        shown = "; ".join(
            f"{f.drain or 0:.1f} s ÷ {f.outage:.1f} s" if f.outage else f"{f.recovery or 0:.1f} s"
            for f in mine
        )
        lines.append(f"| {kind} | {metric} | {goal:g} | {shown} | {median(ratios):.2f} | {max(ratios):.2f} |")
    return "\n".join(lines)


def soak_text(rows: list[tuple[str, str, float, float, float]], how: str, goal: float) -> str:
    """Format the memory of the roles.

    :param rows: role, metric, MiB after the warm-up, MiB at the end, slope in percent per hour.
    """
    lines = [circumstances(), "", f"{how}. Goal: less than {goal:g} % per hour.", ""]
    lines += ["| role | metric | after warm-up | at the end | slope |", "|---|---|---:|---:|---:|"]
    lines += [
        f"| {role} | {metric} | {first:.1f} MiB | {last:.1f} MiB | {slope:+.1f} %/h |"
        for role, metric, first, last, slope in rows
    ]
    return "\n".join(lines)


def recovery_ratios(faults: list[FaultOutcome], session_seconds: float) -> list[float]:
    """Ratios that goals bound: drain ÷ outage for an outage, first progress ÷ session timeout for a kill."""
    never = float("inf")
    return [
        (f.drain / f.outage if f.drain is not None else never)
        if f.outage
        else (f.recovery / session_seconds if f.recovery is not None else never)
        for f in faults
    ]


def _seconds(value: float) -> str:
    return f"{value:.1f} s"
