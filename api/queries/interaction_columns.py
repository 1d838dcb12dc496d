"""Columns of an interaction that the API shows: those of its published snapshot."""

from __future__ import annotations

from typing import Final

from schemas.events import InteractionSnapshot

SNAPSHOT: Final = tuple(InteractionSnapshot.model_fields)


def _selected(name: str) -> str:
    return f"i.{name}::text AS {name}" if name == "id" or name.endswith("_id") else f"i.{name}"


#: For a SELECT from ``customer_interactions i``, with ids as text.
SELECTION: Final = ", ".join(map(_selected, SNAPSHOT))
