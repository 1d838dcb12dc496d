"""Loss report of a backfill: the fate of each source field, counted, with ids as samples and never text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

#: Ids kept per field and fate.
_SAMPLES: Final = 5

Report = dict[str, Any]


def count(report: Report, *path: str, by: int = 1) -> None:
    """Add to a counter of the report."""
    *groups, name = path
    for group in groups:
        report = report.setdefault(group, {})
    report[name] = report.get(name, 0) + by


def note_fates(report: Report, kind: str, row_id: str, fates: Mapping[str, str]) -> None:
    """Count what became of each field of a row; what was not copied gets a sample."""
    for field, fate in fates.items():
        count(report, kind, "fields", field, fate)
        if fate != "copied":
            sample(report, kind, f"{field} {fate}", row_id)


def sample(report: Report, kind: str, what: str, row_id: str) -> None:
    """Keep the id of a row as an example, if there are few."""
    samples = report.setdefault(kind, {}).setdefault("samples", {}).setdefault(what, [])
    if len(samples) < _SAMPLES and row_id not in samples:
        samples.append(row_id)


def merge(total: Report, part: Report) -> Report:
    """Add the report of a batch to that of the job, and return it."""
    for name, value in part.items():
        if isinstance(value, dict):
            merge(total.setdefault(name, {}), value)
        elif isinstance(value, list):
            kept = total.setdefault(name, [])
            kept += [item for item in value if item not in kept][: max(0, _SAMPLES - len(kept))]
        else:
            total[name] = total.get(name, 0) + value
    return total
