"""Last-write-wins by source timestamp, field by field (spec "Conflict policy")."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from domain.model import Interaction
from domain.outcome import warning
from schemas.instants import format_instant

#: The fields under last-write-wins: field → (its ``*_as_of`` field, its name in ``data``).
LAST_WRITE_WINS: Final[dict[str, tuple[str, str]]] = {
    "status": ("status_as_of", "status"),
    "scheduled_at": ("scheduled_as_of", "scheduledAt"),
    "occurred_at": ("occurred_as_of", "occurredAt"),
}


def merge(
    row: Interaction, changes: dict[str, Any], source_timestamp: datetime
) -> tuple[dict[str, Any], tuple[dict[str, Any], ...]]:
    """What is left of the wanted changes, and a warning for each field that lost.

    A guarded field older than its ``*_as_of`` is dropped; equal or newer wins. A field that already has
    the wanted value is no change, and its ``*_as_of`` stays; one that changes takes the source timestamp.

    :returns: the changes to store (``*_as_of`` included; empty when nothing changes), the warnings.
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
    # In the order of LAST_WRITE_WINS: the changes come from a set, whose order is chance.
    return kept, tuple(superseded(row, name) for name in lost)


def superseded(row: Interaction, name: str) -> dict[str, Any]:
    """The warning that a newer change of a field is known already."""
    as_of, field = LAST_WRITE_WINS[name]
    newest = format_instant(getattr(row, as_of))
    return warning(
        "superseded", f"{field} was changed by its source at {newest}, later than this change", field
    )
