"""The next step: an interaction that the completion of another one plans, in the same command."""

from __future__ import annotations

from schemas.identity import derive_id
from schemas.payload_base import Editing
from schemas.values import Body, Color, Instant, InteractionType, Priority, ShortText, Title, UuidText


class NextStep(Editing):
    """Interaction to plan when another one of the same customer is completed."""

    interaction_type: InteractionType
    title: Title | None = None
    body: Body | None = None
    scheduled_at: Instant | None = None
    priority: Priority | None = None
    deal_id: UuidText | None = None
    author_user_id: UuidText | None = None
    owner_user_id: UuidText | None = None
    appearance_icon: ShortText | None = None
    appearance_color: Color | None = None


def next_step_id(tenant_id: str, organization_id: str, interaction_id: str, version: int) -> str:
    """Id of the next step of a completed interaction.

    Each completion leaves a version of its own, so it plans one next step, however often it is sent.

    :param version: version of the interaction after its completion.
    """
    return derive_id("next-step", tenant_id, organization_id, interaction_id, str(version))
