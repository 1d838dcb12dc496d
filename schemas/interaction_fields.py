"""Fields of an interaction that people and providers edit, the same in commands and HTTP bodies."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel

from schemas.values import Body, Color, Instant, Priority, ShortText, Title, UuidText


class InteractionFields(BaseModel):
    """Optional fields, each of which can be cleared."""

    title: Title | None = None
    body: Body | None = None
    feedback: Body | None = None
    scheduled_at: Instant | None = None
    occurred_at: Instant | None = None
    priority: Priority | None = None
    deal_id: UuidText | None = None
    author_user_id: UuidText | None = None
    owner_user_id: UuidText | None = None
    appearance_icon: ShortText | None = None
    appearance_color: Color | None = None


#: Names of the fields.
EDITABLE: Final = tuple(InteractionFields.model_fields)
