"""Change fields of an interaction. UPDATE never creates: an unknown id is an error and no row."""

from __future__ import annotations

from domain.changed import changed
from domain.decision import Decision
from domain.dictionary import admit
from domain.due import rearm
from domain.merge import merge
from domain.outcome import check_version, no_op
from domain.rows import check_deal, entity_of, interaction_of
from domain.undo_image import evolve
from domain.world import World
from schemas.command import Command
from schemas.events import UPDATED
from schemas.payloads import InteractionUpdate


def update(world: World, command: Command, payload: InteractionUpdate) -> Decision:
    """Set and empty fields, in any status; the status itself has commands of its own.

    :raises Reject: ``interaction_not_found``, ``entity_mismatch``, ``version_conflict``,
        ``deal_not_found``, ``deal_of_other_entity``, ``unknown_interaction_type``.
    """
    row = interaction_of(world, command, payload.id)
    entity = entity_of(world, command)
    check_version(command.expected_version, row.version)
    changes, warnings = merge(row, payload.changes(), command.source_timestamp)
    if not changes:
        return no_op(command, entity, row, *warnings)
    check_deal(world, command, changes.get("deal_id"))
    pending = admit(world, command, changes["interaction_type"]) if "interaction_type" in changes else None
    version = row.version + 1
    changes["version"] = version
    changes["updated_at"] = command.appended_at
    if "scheduled_at" in changes:
        rearm(changes, version)
    return changed(
        world,
        command,
        entity,
        before=row,
        after=evolve(row, changes),
        event_type=UPDATED,
        reason="updated",
        version=version,
        warnings=warnings,
        pending=pending,
    )
