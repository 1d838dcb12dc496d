"""What the rules decided on one command: its outcome, and every row and event that follows."""

from __future__ import annotations

from typing import Any

from domain.model import Deal, Entity, Event, Interaction, Outcome, TypeEntry
from schemas.command import Command, Refused
from schemas.value_class import value_class


@value_class(slots=True, frozen=True, kw_only=True)
class Decision:
    """The fate of one command.

    :param result: the result's value, ready for JSON (``schemas.outcomes.Result`` without the
        command's place in the log, which the applier adds).
    :param undo: the undo image for the command log (see ``domain.undo``).
    :param entity_version: the entity's version after the command.
    :param logged: whether the command gets a row in the command log; not so for ``duplicate``, for an
        idempotency conflict, for ``validateOnly`` and for a record that was carried out before.
    :param interaction: the new state to store; ``removed``: the id of an interaction to delete.
    :param type_entry: a dictionary entry to store; ``strict``: the dictionary's new strictness.
    :param relabeled: the code of a type whose label, icon or colour changed: entities that show it
        need ``recompute_next``.
    :param flag: a feature flag of the tenant and its new value.
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
