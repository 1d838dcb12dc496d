"""A mutation guard: rejects changes of customers under legal hold, and logs every change.

It is installed as an entry point of the group ``customer_interactions.mutation_guards``. The environment
variable ``LEGAL_HOLD`` holds the customers' ids, separated by commas.
"""

from __future__ import annotations

import os
from typing import Any

import structlog

from api.mutation_guards import Mutation, MutationGuards
from schemas.errors import Reject

_log = structlog.get_logger("legal_hold")
_HELD = frozenset(os.environ.get("LEGAL_HOLD", "").split(","))


async def refuse_held(mutation: Mutation) -> None:
    """Reject a write to a customer under legal hold.

    :raises Reject: 409, before the command is sent.
    """
    if mutation.entity_id in _HELD:
        raise Reject("legal_hold", "This customer is under legal hold. Nothing was changed.", status=409)


async def note(mutation: Mutation, result: dict[str, Any]) -> None:
    """Log the ids of a write; its data may contain customer text."""
    _log.info("write.noted", command=result.get("commandId"), action=mutation.action)


def register(guards: MutationGuards) -> None:
    """Register both guards with the gateway; the entry point refers to this function."""
    guards.before.append(refuse_held)
    guards.after.append(note)
