"""How far a command reaches into what is stored: which rows must be loaded before it is decided."""

from __future__ import annotations

from schemas.command import Command
from schemas.payloads import (
    DealUpsert,
    EntityUpsert,
    FeatureFlagSet,
    InteractionCreate,
    InteractionTypeUpsert,
)

_ADDING = (InteractionCreate, EntityUpsert, DealUpsert, InteractionTypeUpsert, FeatureFlagSet)


def may_move(command: Command) -> bool:
    """Whether the command may take a stored interaction of its entity out of its place in the order.

    For an entity whose commands only add, the stored next and last interaction are all that a new one
    must be compared with. With *m* commands that may move one, the first *m*+1 of each order are needed.
    """
    return not isinstance(command.payload, _ADDING)
