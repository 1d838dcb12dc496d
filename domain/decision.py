"""Decision on one command: its outcome, and every row and event that results from it."""

from __future__ import annotations

from typing import Any

from domain.model import Deal, Entity, Event, Interaction, Outcome, TypeEntry
from schemas.command import Command, Refused
from schemas.value_class import value_class


@value_class(slots=True, frozen=True, kw_only=True)
class Decision:
    """Outcome of one command, with the changes to store.

    :param result: value of the result record, ready for JSON (``schemas.outcomes.Result`` without the
        command's topic, partition and offset, which the applier adds).
    :param undo: the undo image for the command log (see ``domain.undo``).
    :param entity_version: version of the entity after the command.
    :param logged: the command gets a row in the command log. False for ``duplicate``, an idempotency
        conflict, ``validateOnly``, and a record that was already applied.
    :param interaction: new state to store; ``removed``: id of an interaction to delete.
    :param type_entry: dictionary entry to store; ``strict``: new strictness of the dictionary.
    :param relabeled: code of a type whose label, icon or colour changed: entities that show it need
        ``recompute_next``.
    :param flag: feature flag of the tenant and its new value.
    """

    command: Command | Refused
    outcome: Outcome
    result: dict[str, Any]
    events: tuple[Event, ...] = ()
    undo: dict[str, Any] | None = None
    interaction_id: str | None = None
    entity_version: int | None = None
    logged: bool = True
    interaction: Interaction | None = None
    removed: str | None = None
    entity: Entity | None = None
    deal: Deal | None = None
    type_entry: TypeEntry | None = None
    strict: bool | None = None
    relabeled: str | None = None
    flag: tuple[str, bool] | None = None
