"""Default interaction types of every tenant and organization."""

from __future__ import annotations

from typing import Final

from domain.model import TypeEntry

DEFAULT_TYPES: Final[dict[str, TypeEntry]] = {
    entry.code: entry
    for entry in (
        TypeEntry(code="call", label="Call", icon="phone", color="#2563EB"),
        TypeEntry(code="email", label="Email", icon="mail", color="#0891B2"),
        TypeEntry(code="meeting", label="Meeting", icon="users", color="#7C3AED"),
        TypeEntry(code="task", label="Task", icon="check-square", color="#D97706"),
        TypeEntry(code="follow_up", label="Follow-up", icon="corner-up-right", color="#DB2777"),
        TypeEntry(code="visit", label="Visit", icon="map-pin", color="#059669"),
        TypeEntry(code="message", label="Message", icon="message-circle", color="#65A30D", actionable=False),
        TypeEntry(code="note", label="Note", icon="file-text", color="#6B7280", actionable=False),
    )
}
