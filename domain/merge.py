"""Last-write-wins by source timestamp, field by field (spec "Conflict policy")."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from domain.model import Interaction
from domain.outcome import warning
from schemas.instants import format_instant

#: Fields under last-write-wins → (their ``*_as_of`` field, their name in ``data``).
LAST_WRITE_WINS: Final[dict[str, tuple[str, str]]] = {
    "status": ("status_as_of", "status"),
    "scheduled_at": ("scheduled_as_of", "scheduledAt"),
    "occurred_at": ("occurred_as_of", "occurredAt"),
}


def merge(
    row: Interaction, changes: dict[str, Any], source_timestamp: datetime
) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """Resolve requested changes against the stored row.

    A last-write-wins field is dropped when the source timestamp is older than its ``*_as_of``; equal or
    newer wins. A field that already has the requested value is not a change and keeps its ``*_as_of``. A
    changed field takes the source timestamp.

    :returns: the changes to store, including ``*_as_of`` (empty when nothing changes), and one warning per
        dropped field.
    """
    kept: dict[str, Any] = {}
    lost = [
        name
        for name, (as_of, _) in LAST_WRITE_WINS.items()
        if name in changes and source_timestamp < getattr(row, as_of)
    ]
    for name, value in changes.items():
        if name not in lost and getattr(row, name) != value:
            kept[name] = value
            if name in LAST_WRITE_WINS:
                kept[LAST_WRITE_WINS[name][0]] = source_timestamp
    # In the order of LAST_WRITE_WINS: the changes come from a set, which has no defined order.
    return kept, tuple(superseded(row, name) for name in lost)


def superseded(row: Interaction, name: str) -> dict[str, Any]:
    """Warning for a field that has already been changed by a newer command."""
    as_of, field = LAST_WRITE_WINS[name]
    newest = format_instant(getattr(row, as_of))
    return warning(
        "superseded", f"{field} was last changed at its source at {newest}, after this change", field
    )
