"""Loss report and parity report as tables."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console

from cli.console import table

_FATES: Final = ("copied", "normalised", "defaulted", "dropped")
_WORDS: Final = {
    "created": "created",
    "toCreate": "would be created",
    "moved": "moved before",
    "deleted": "deleted after they were moved",
    "superseded": "superseded by a newer row of the same id",
    "repeated": "repeated links of one todo and customer",
    "shared": "links whose todo has another customer, too",
    "erased": "of erased customers",
    "notFound": "todos that were not found",
}


def show_losses(output: Console, report: dict[str, Any]) -> None:
    """Show counts, and the fate of each field, with ids as examples."""
    for kind in ("activity", "todo", "interaction"):
        part = report.get(kind)
        if not part:
            continue
        counts = [f"{part[name]:,} {words}" for name, words in _WORDS.items() if part.get(name)]
        output.print(f"[bold]{kind}[/bold]: {part['rows']:,} rows; {', '.join(counts) or 'nothing to do'}")
        samples = part.get("samples", {})
        fates = table("")
        fates.title = None
        for name in ("field", *_FATES):
            fates.add_column(name, justify="left" if name == "field" else "right", no_wrap=True)
        fates.add_column("such as", overflow="fold")
        for field, by_fate in sorted(part.get("fields", {}).items()):
            example = next(
                (ids[0] for fate in reversed(_FATES) if (ids := samples.get(f"{field} {fate}"))), ""
            )
            fates.add_row(
                field, *(f"{by_fate[fate]:,}" if fate in by_fate else "" for fate in _FATES), example
            )
        if fates.row_count:
            output.print(fates)
    if report.get("placeholders"):
        output.print(f"{report['placeholders']:,} placeholders for unknown customers")
    links = report.get("links", {})
    if links:
        output.print(
            f"external links: {links.get('mapped', 0):,} mapped, {links.get('unresolved', 0):,} of"
            " integrations that do not exist here (see --integration)"
        )


def show_parity(output: Console, report: dict[str, Any]) -> None:
    """Show one line per tenant, and what differs."""
    tenants = report.get("tenants", {})
    if not tenants:
        output.print("No tenant has legacy rows.")
    for tenant, part in tenants.items():
        verdict = "[green]passed[/green]" if part["passed"] else "[red]not passed[/red]"
        rows = sum(part[kind]["rows"] for kind in ("activity", "todo", "interaction") if kind in part)
        sampled = sum(part[k].get("sampled", 0) for k in ("activity", "todo", "interaction") if k in part)
        changed = sum(
            part[k].get("changedSince", 0) for k in ("activity", "todo", "interaction") if k in part
        )
        output.print(
            f"tenant {tenant}: {verdict}; {rows:,} legacy rows, {part['customers']['rows']:,} customers,"
            f" {sampled:,} rows compared field by field, {changed:,} of the sample changed since"
        )
        for what, number in part["differences"].items():
            kind, _, field = what.partition(": ")
            ids = part.get(kind.rstrip("s") if kind == "customers" else kind, {}).get("samples", {})
            example = next((found[0] for name, found in ids.items() if field.split()[0] in name), None)
            output.print(f"  [red]{what}: {number:,}[/red]{f', such as {example}' if example else ''}")
