"""Ids that the next steps of a batch may get. They depend on versions, which the read set has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from domain.lifecycle import created_id
from domain.undo import target_command_id
from domain.unit_of_work import UnitOfWork
from schemas.command import Command
from schemas.next_step import next_step_id
from schemas.payloads import COMPLETE, CREATE, UNDO


def next_step_ids(work: UnitOfWork, commands: Sequence[Command]) -> set[str]:
    """Derive one id per version that each completed interaction may get in the batch.

    :param work: the loaded read set.
    """
    planning = [
        command
        for command in commands
        if command.envelope.type == COMPLETE and command.payload.next is not None  # type: ignore[attr-defined]
    ]
    if not planning:
        return set()
    changes = _changes(work, commands)
    ids: set[str] = set()
    for command in planning:
        identity: str = command.payload.id  # type: ignore[attr-defined]
        row = work.interactions.get(identity)
        version = row.version if row is not None else work.deleted_versions.get(identity, 0)
        scope = command.envelope.tenant_id, command.envelope.organization_id
        # One more than the commands that name it: the interaction may be a next step of this very batch.
        ids.update(next_step_id(*scope, identity, version + n + 1) for n in range(changes[identity] + 1))
    return ids


def _changes(work: UnitOfWork, commands: Sequence[Command]) -> Counter[str]:
    """Count the commands that may change each interaction."""
    changes: Counter[str] = Counter()
    #: Id of a command of the batch → the interaction that it may change.
    batch: dict[str, str] = {}
    for command in commands:
        named: str | None = getattr(command.payload, "id", None)
        if command.envelope.type == UNDO:
            target = target_command_id(command)
            scope = command.envelope.tenant_id, command.envelope.organization_id
            entry = work.journal.get((*scope, target)) if target is not None else None
            named = entry.interaction_id if entry is not None else batch.get(target or "")
            if entry is not None and entry.facts.step is not None:
                changes[entry.facts.step.row.id] += 1
        elif command.envelope.type == CREATE and named is None:
            named = created_id(command)
        if named is not None:
            batch[command.envelope.id] = named
            changes[named] += 1
    return changes
