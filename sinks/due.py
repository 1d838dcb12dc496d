"""Queues of the timers: interactions that are due or overdue, and resolutions past their deadline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from runtime.postgres import Connection

_SQL: Final = """
SELECT id, tenant_id, organization_id, entity_id, schedule_version, scheduled_at FROM customer_interactions
WHERE status = 'planned' AND due_phase = %s AND scheduled_at <= %s ORDER BY scheduled_at LIMIT %s
"""
_LATE_SQL: Final = """
SELECT id, tenant_id, organization_id, entity_id, resolution FROM signals
WHERE status = 'resolving' AND requested_at <= %s ORDER BY requested_at LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class DueInteraction:
    """An interaction to mark, and the version of the schedule to mark."""

    interaction_id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    schedule_version: int
    scheduled_at: datetime


def server_time(connection: Connection) -> datetime:
    """Return the database's wall clock, in UTC."""
    row = connection.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None
    return row[0].astimezone(UTC)  # type: ignore[no-any-return]


def due_interactions(
    connection: Connection, phase: Literal["due", "overdue"] | str, before: datetime, limit: int
) -> list[DueInteraction]:
    """Return the earliest interactions scheduled at or before ``before`` that wait for ``phase``.

    ``overdue`` follows ``due``: an interaction waits for ``overdue`` only after ``due`` is marked.
    """
    rows = connection.execute(_SQL, (0 if phase == "due" else 1, before, limit))
    return [
        DueInteraction(str(row[0]), str(row[1]), str(row[2]), str(row[3]), int(row[4]), row[5])
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class LateResolution:
    """A signal whose draft was not written in time."""

    signal_id: str
    tenant_id: str
    organization_id: str
    entity_id: str
    resolution: int


def late_resolutions(connection: Connection, before: datetime, limit: int) -> list[LateResolution]:
    """Return the signals that are being resolved since ``before`` or longer, the oldest first."""
    rows = connection.execute(_LATE_SQL, (before, limit))
    return [LateResolution(str(row[0]), str(row[1]), str(row[2]), str(row[3]), int(row[4])) for row in rows]
