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

_NOT_ON_INTERACTIONS = (EntityUpsert, DealUpsert, InteractionTypeUpsert, FeatureFlagSet)
_WITHOUT_REORDER = (InteractionCreate, *_NOT_ON_INTERACTIONS)


def may_reorder(command: Command) -> bool:
    """Whether the command may take a stored interaction of its entity out of its place in the order.

    A new interaction must be compared with the first stored one of each order. With *m* commands that may
    move one, the first *m*+1 of each order are needed.
    """
    return not isinstance(command.payload, _WITHOUT_REORDER)


def may_change_projection(command: Command) -> bool:
    """Return whether the command may change its entity's next or last interaction."""
    return not isinstance(command.payload, _NOT_ON_INTERACTIONS)
