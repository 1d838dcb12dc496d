"""Figures of a move, as the text between the markers of ``docs/migration.md``."""

from __future__ import annotations

from typing import Any, Final

from bench.page import replace_part
from bench.results import ROOT

PAGE: Final = ROOT / "docs" / "migration.md"
_KINDS: Final = ("activity", "todo", "interaction")
_COUNTS: Final = {
    "rows": "rows",
    "created": "created",
    "moved": "moved before a crash",
    "repeated": "repeated links",
    "shared": "links of shared todos",
    "superseded": "superseded",
    "notFound": "todos not found",
}
_FATES: Final = ("copied", "normalised", "defaulted", "dropped")


def write_page(content: dict[str, Any]) -> None:
    """Write the figures into the page."""
    replace_part("moving-in", text(content), PAGE)


def text(content: dict[str, Any]) -> str:
    """Format conditions, durations, latencies and the loss report."""
    machine, rows, move = content["machine"], content["rows"], content["backfill"]
    imported, second = content["import"], content["second"]
    alone, beside = content["alone"], content["beside"]
    tenants = content["parity"]["report"]["tenants"]
    passed = sum(part["passed"] for part in tenants.values())
    lines = [
        (
            f"{machine['date']} · {machine['processor']}, {machine['cores']} cores,"
            f" {machine['memory_gib']} GiB, load before the run {machine['load_before']}"
            f" · revision {machine['revision']}. Generated data:"
            f" {rows['activities']:,} activities and {rows['todos']:,} todo links, with dirt of every kind"
            f" (`python -m bench.legacy`), two appliers; live commands at 50 per second."
        ),
        "",
        "| | |",
        "|---|---:|",
        f"| import | {_time(imported['seconds'])}, {imported['peak_mib']:.0f} MiB at most |",
        (
            f"| backfill, with {move['kills']} times `kill -9` of the jobs role |"
            f" {_time(move['seconds'])}, {move['rows'] / move['seconds']:,.0f} rows/s,"
            f" {move['peak_mib']:.0f} MiB at most |"
        ),
        (
            f"| before that, {_time(content['live_seconds'])} with {beside['commands']:,} live commands |"
            f" {move['rows_beside'] / content['live_seconds']:,.0f} rows/s |"
        ),
        *(
            f"| {name} of these live commands ÷ alone | {beside[name] / alone[name]:.2f}"
            f" ({beside[name] * 1000:.0f} ms ÷ {alone[name] * 1000:.0f} ms) |"
            for name in ("p50", "p99")
        ),
        (
            f"| parity check | {_time(content['parity']['seconds'])}, {passed} of {len(tenants)} tenants"
            " passed |"
        ),
        (f"| second backfill | {_time(second['seconds'])}, {second['created']:,} rows created |"),
        "",
        f"| | {' | '.join(_COUNTS.values())} |",
        f"|---|{'---:|' * len(_COUNTS)}",
    ]
    report = move["report"]
    for kind in _KINDS:
        part = report.get(kind)
        if part:
            counts = " | ".join(f"{part.get(name, 0):,}" for name in _COUNTS)
            lines.append(f"| {kind} | {counts} |")
    lines += ["", f"| field | {' | '.join(_FATES)} |", f"|---|{'---:|' * len(_FATES)}"]
    for kind in _KINDS:
        for field, fates in sorted(report.get(kind, {}).get("fields", {}).items()):
            counts = " | ".join(f"{fates[fate]:,}" if fate in fates else "" for fate in _FATES)
            lines.append(f"| {kind}: {field} | {counts} |")
    return "\n".join(lines)


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
