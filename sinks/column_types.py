"""Postgres types of the columns that the applier writes, by column name."""

from __future__ import annotations

from typing import Final

_NAMED: Final = {
    "partition": "integer",
    "offset": "bigint",
    "priority": "integer",
    "version": "bigint",
    "schedule_version": "bigint",
    "retired_version": "bigint",
    "due_phase": "smallint",
    "entity_version": "bigint",
    "open_count": "integer",
    "overdue_count": "integer",
    "done_count": "integer",
    "fingerprint": "bytea",
    "events": "integer",
    "facts": "json",
    # Named like ids, but texts that publishers choose.
    "command_id": "text",
    "actor_id": "text",
    "correlation_id": "text",
}


def column_type(column: str) -> str:
    """Return the type of a column: ``uuid``, ``text``, ``timestamptz``, …"""
    if column in _NAMED:
        return _NAMED[column]
    if column.endswith(("_at", "_as_of", "_timestamp")):
        return "timestamptz"
    if column == "id" or column.endswith("_id"):
        return "uuid"
    return "text"
