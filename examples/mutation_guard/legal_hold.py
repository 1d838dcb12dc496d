"""A mutation guard: customers under legal hold are not changed, and every change is noted.

Install it with an entry point of the group ``customer_interactions.mutation_guards``; the customers are
in the environment variable ``LEGAL_HOLD``, their ids separated by commas.
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
    """Refuse a write that is about a held customer."""
    if mutation.entity_id in _HELD:
        raise Reject("legal_hold", "this customer is under legal hold and cannot be changed", status=409)


async def note(mutation: Mutation, result: dict[str, Any]) -> None:
    """Log ids only: the data of a write may hold customer text."""
    _log.info("write.noted", command=result.get("commandId"), action=mutation.action)


def register(guards: MutationGuards) -> None:
    """Add both to the gateway; the entry point names this function."""
    guards.before.append(refuse_held)
    guards.after.append(note)
