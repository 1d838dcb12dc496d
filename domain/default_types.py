"""Default interaction types of every tenant and organization."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from domain.model import TypeEntry


class DefaultType(NamedTuple):
    """A type that every dictionary includes."""

    code: str
    label: str
    icon: str
    color: str
    actionable: bool = True


DEFAULT_TYPES: Final = {
    entry.code: entry
    for entry in (
        DefaultType("call", "Call", "phone", "#2563EB"),
        DefaultType("email", "Email", "mail", "#0891B2"),
        DefaultType("meeting", "Meeting", "users", "#7C3AED"),
        DefaultType("task", "Task", "check-square", "#D97706"),
        DefaultType("follow_up", "Follow-up", "corner-up-right", "#DB2777"),
        DefaultType("visit", "Visit", "map-pin", "#059669"),
        DefaultType("message", "Message", "message-circle", "#65A30D", actionable=False),
        DefaultType("note", "Note", "file-text", "#6B7280", actionable=False),
    )
}


@lru_cache(maxsize=1024)
def default_types(tenant_id: str, organization_id: str) -> Mapping[str, TypeEntry]:
    """Default types as entries of a dictionary, by code."""
    return {code: TypeEntry(tenant_id, organization_id, *entry) for code, entry in DEFAULT_TYPES.items()}
