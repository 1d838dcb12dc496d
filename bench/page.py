"""Write the tables of ``docs/performance.md`` between their markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.metric import Figure, Metric
from bench.results import ROOT

PAGE = ROOT / "docs" / "performance.md"


def replace_part(name: str, text: str, page: Path = PAGE) -> None:
    """Replace the text between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``.

    :raises ValueError: the page has no such markers.
    """
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    before, found, rest = page.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"{page} has no part {name!r}")
    page.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")


def conditions(machine: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    """Format date, machine, versions and server settings."""
    settings = ", ".join(f"`{name}={value}`" for name, value in machine["settings"].items())
    return (
        f"{machine['date']} · {'quick run' if machine['quick'] else 'full run'} · {machine['processor']},"
        f" {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, load before the run"
        f" {machine['load_before']} · revision {machine['revision']}\n\n"
        + ", ".join(f"{name} {number}" for name, number in versions.items())
        + f"\n\n{settings}"
    )


def table(metrics: Sequence[tuple[Metric, Figure]]) -> str:
    """Format the table of metrics, one row per metric."""
    lines = [
        "| | metric | figure | floor | aim | floor reached | components |",
        "|---|---|---:|---:|---:|---|---|",
    ]
    for metric, figure in metrics:
        bound = "≤ " if metric.upper else "≥ "
        verdict = "yes" if metric.met(figure) else "**no**"
        value = "–" if figure.value is None else f"**{_number(figure.value)}** {metric.unit}".strip()
        lines.append(
            f"| {metric.id} | {metric.title} | {value}"
            f" | {bound}{metric.floor:g} | {bound}{metric.aim:g} |"
            f" {verdict} | {_parts(figure.parts)} |"
        )
    return "\n".join(lines)


def profile_table(creates: Mapping[str, float], mixed: Mapping[str, float]) -> str:
    """Format the time per command by stage, for creates and for P11's mix."""
    whole, whole_mixed = sum(creates.values()), sum(mixed.values())
    lines = ["| stage | creates, µs per command | share | mix of P11, µs per command | share |"]
    lines.append("|---|---:|---:|---:|---:|")
    lines += [
        f"| {stage} | {creates[stage]:.1f} | {creates[stage] / whole:.0%}"
        f" | {mixed[stage]:.1f} | {mixed[stage] / whole_mixed:.0%} |"
        for stage in creates
    ]
    lines.append(f"| all stages, one after the other | {whole:.1f} | | {whole_mixed:.1f} | |")
    return "\n".join(lines)


def pictures(drawn: Sequence[Path]) -> str:
    """Format the plots as Markdown images."""
    return "\n".join(f"![Cost per command by {path.stem}]({path.parent.name}/{path.name})" for path in drawn)


def _parts(parts: Mapping[str, Any]) -> str:
    shown = []
    for name, value in parts.items():
        text = "–".join(map(_number, value)) if name == "spread" else _plain(value)
        shown.append(f"{name.replace('_', ' ')} {text}")
    return "; ".join(shown).replace("|", "\\|").replace("\n", " ")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
