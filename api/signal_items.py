"""Convert rows of signals, their outcomes and drafts to their JSON representations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from api.instants import instant_text
from api.queries.scope import Row
from schemas.events import instants_of, members_of
from schemas.signal_events import DraftSnapshot, SignalSnapshot

_SIGNAL: Final = members_of(SignalSnapshot), instants_of(SignalSnapshot)
_DRAFT: Final = members_of(DraftSnapshot), instants_of(DraftSnapshot)


def signal_item(row: Row) -> dict[str, Any]:
    """One signal."""
    return _item(row, *_SIGNAL)


def draft_item(row: Row) -> dict[str, Any]:
    """One draft."""
    return _item(row, *_DRAFT)


def outcome_item(row: Row) -> dict[str, Any]:
    """One entry of the history of a signal."""
    return {
        "id": row["id"],
        "outcome": row["outcome"],
        "detail": row["detail"],
        "draftId": row["draft_id"],
        "actorId": row["actor_id"],
        "commandId": row["command_id"],
        "createdAt": instant_text(row["created_at"]),
    }


def _item(row: Row, members: dict[str, str], instants: Iterable[str]) -> dict[str, Any]:
    item = {name: row[column] for name, column in members.items()}
    for name in instants:
        item[name] = instant_text(item[name])
    return item
