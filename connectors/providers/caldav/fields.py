"""The fields that a to-do mirrors, with their coarse forms."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connectors.providers.caldav.ics.date_times import AllDay
from connectors.sdk.coarse_forms import one_line, plain, to_seconds
from connectors.sdk.declaration import MirroredField
from connectors.sdk.remote import RemoteObject


def keep_time_of_day(here: datetime | None, there: datetime | None) -> datetime | None:
    """The remote date with the local time of day, if the to-do has a date without a time."""
    return there.with_time_of(here) if here is not None and isinstance(there, AllDay) else there


def keep_moment(here: datetime | None, there: datetime | None) -> datetime | None:
    """The remote instant; a completed to-do without one keeps ours."""
    return here if there is None else there


def to_level(priority: int) -> int:
    """A priority (0 to 100) as one of nine levels; 1 is the highest (RFC 5545 section 3.8.1.9)."""
    return 9 - round(priority / 12.5)


def from_level(level: int) -> int:
    """The priority (0 to 100) of one of nine levels."""
    return round((9 - level) * 12.5)


def to_nine_levels(priority: int | None) -> int | None:
    """A priority rounded to nine levels."""
    return None if priority is None else from_level(to_level(priority))


FIELDS: Final = (
    MirroredField(name="title", remote_name="SUMMARY", coarse=one_line, loss="A summary is one line."),
    MirroredField(
        name="body", remote_name="DESCRIPTION", coarse=plain, loss="Leading and trailing white space is lost."
    ),
    MirroredField(name="status", remote_name="STATUS"),
    MirroredField(
        name="scheduled_at",
        remote_name="DUE",
        coarse=to_seconds,
        refine=keep_time_of_day,
        loss="Precise to the second.",
    ),
    MirroredField(
        name="occurred_at",
        remote_name="COMPLETED",
        coarse=to_seconds,
        refine=keep_moment,
        loss="Precise to the second.",
    ),
    MirroredField(
        name="priority", remote_name="PRIORITY", coarse=to_nine_levels, loss="Nine levels instead of 101."
    ),
)


def with_level(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values with the priority as one of nine levels."""
    if values.get("priority") is None:
        return dict(values)
    return {**values, "priority": to_level(values["priority"])}


def holds(todo: RemoteObject, name: str, value: Any) -> bool:
    """Return whether the to-do already has this value, as exactly as it can."""
    coarse = next(field.coarse for field in FIELDS if field.name == name)
    return name in todo.values and todo.values[name] == coarse(value)


def still_holds(todo: RemoteObject, name: str, value: Any) -> bool:
    """Return whether a restored to-do needs no write of this value; an unreadable field is left as it is."""
    if name not in todo.values or holds(todo, name, value):
        return True
    return (
        name == "scheduled_at" and value is not None and keep_time_of_day(value, todo.values[name]) == value
    )
