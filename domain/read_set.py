"""Read set of a command: the stored interactions that must be loaded before it can be decided."""

from __future__ import annotations

from schemas.command import Command
from schemas.payloads import CREATE, DEAL_UPSERT, ENTITY_ERASE, ENTITY_UPSERT, FLAG_SET, TYPE_UPSERT
from schemas.signal_payloads import DRAFT_PAYLOADS, SIGNAL_PAYLOADS

_NOT_ON_INTERACTIONS = frozenset(
    {ENTITY_UPSERT, ENTITY_ERASE, DEAL_UPSERT, TYPE_UPSERT, FLAG_SET, *SIGNAL_PAYLOADS, *DRAFT_PAYLOADS}
)
_WITHOUT_REORDER = _NOT_ON_INTERACTIONS | {CREATE}


def may_reorder(command: Command) -> bool:
    """Return whether the command may move a stored interaction within its entity's derivation order.

    A create only needs the first stored interaction of each order to compare with. A batch with *m* commands
    that may reorder needs the first *m* + 1 of each order.
    """
    return command.envelope.type not in _WITHOUT_REORDER


def may_change_projection(command: Command) -> bool:
    """Return whether the command may change its entity's next or last interaction."""
    return command.envelope.type not in _NOT_ON_INTERACTIONS
