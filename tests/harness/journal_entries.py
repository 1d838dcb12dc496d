"""Journal entries for tests of which most fields do not matter."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from domain.journal import JournalEntry

_SCOPE = "00000000-0000-4000-8000-000000000001"


def some_entry(**fields: Any) -> JournalEntry:
    """Build an applied entry; the given fields replace the others."""
    return JournalEntry(
        **{
            "tenant_id": _SCOPE,
            "organization_id": _SCOPE,
            "command_id": "command",
            "command_type": "t",
            "entity_id": _SCOPE,
            "interaction_id": None,
            "partition": 0,
            "offset": 0,
            "fingerprint": b"",
            "outcome": "applied",
            "entity_version": None,
            "actor_id": None,
            "sync_origin": None,
            "correlation_id": None,
            "traceparent": None,
            "source_timestamp": None,
            "appended_at": datetime(2026, 3, 2, tzinfo=UTC),
            **fields,
        }
    )
