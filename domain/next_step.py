"""Next step: the interaction that a completion plans, and that its undo takes back."""

from __future__ import annotations

from domain.dictionary import resolve_type
from domain.journal import StepChange
from domain.lookup import check_deal
from domain.model import Interaction, TypeEntry
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.errors import Reject
from schemas.events import CREATED
from schemas.next_step import NextStep, next_step_id


def plan(
    work: UnitOfWork, command: Command, completed: Interaction, following: NextStep
) -> tuple[StepChange, TypeEntry | None]:
    """Plan the next step of a completed interaction.

    :param completed: the interaction after its completion.
    :returns: the new interaction, and the dictionary entry that it adds.
    :raises Reject: ``id_not_available``, ``deal_not_found``, ``deal_of_other_entity``,
        ``unknown_interaction_type``.
    """
    identity = next_step_id(completed.tenant_id, completed.organization_id, completed.id, completed.version)
    # Only an interaction that was created under this very id can have it. Its scope is not revealed.
    if identity in work.interactions:
        raise Reject(
            "id_not_available",
            "the id of the next step is in use; nothing was stored. Complete without next, and create the"
            " next interaction by a command of its own",
            pointer="/next",
            status=409,
        )
    check_deal(work, command, following.deal_id, "/next/dealId")
    new_type = resolve_type(work, command, following.interaction_type, "/next/interactionType")
    version = work.deleted_versions.get(identity, 0) + 1
    row = Interaction(
        id=identity,
        tenant_id=completed.tenant_id,
        organization_id=completed.organization_id,
        entity_id=completed.entity_id,
        interaction_type=following.interaction_type,
        status="planned",
        status_as_of=command.source_timestamp,
        scheduled_as_of=command.source_timestamp,
        occurred_as_of=command.source_timestamp,
        created_at=command.appended_at,
        updated_at=command.appended_at,
        version=version,
        schedule_version=version,
        title=following.title,
        body=following.body,
        scheduled_at=following.scheduled_at,
        priority=following.priority,
        deal_id=following.deal_id,
        author_user_id=following.author_user_id,
        owner_user_id=following.owner_user_id,
        appearance_icon=following.appearance_icon,
        appearance_color=following.appearance_color,
    )
    return StepChange(event=CREATED, after=row, version=version), new_type
