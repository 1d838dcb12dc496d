"""Dead letters of a caller: visibility, groups by failure, and decisions that the mutation guards allow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from api.dead_letters.decisions import DecidedLetters
from api.dead_letters.index import IndexedLetter, StatedLetter, Visibility
from api.mutation_guards import Mutation
from api.principal import Principal
from api.services import Services
from runtime.dead_letters import Decision

VIEW: Final = "customers.dead_letters.view"
MANAGE: Final = "customers.dead_letters.manage"
#: Feature of the deployment's operators. It is not below ``customers``, so that a tenant's wildcard does not
#: grant it.
OPERATE: Final = "deployment.operate"
#: Most dead letters that one request decides.
MOST_DECIDED: Final = 500


@dataclass(frozen=True, slots=True)
class LetterGroup:
    """Dead letters with one failure: error class, code and pointer.

    :param first_ms: time of the oldest, milliseconds since 1970; that of the newest is in ``newest``.
    """

    newest: IndexedLetter
    count: int
    first_ms: int


def visible_to(principal: Principal) -> Visibility:
    """Dead letters that a caller may see and decide."""
    return Visibility(principal.tenant_id, principal.organization_id, unscoped=principal.has(OPERATE))


def groups_of(letters: Iterable[StatedLetter]) -> list[LetterGroup]:
    """Group dead letters by failure, the most frequent failure first.

    :param letters: newest first.
    """
    members: defaultdict[str, list[IndexedLetter]] = defaultdict(list)
    for stated in letters:
        members[stated.letter.group].append(stated.letter)
    groups = [LetterGroup(found[0], len(found), found[-1].at_ms) for found in members.values()]
    return sorted(groups, key=lambda group: (-group.count, group.newest.group))


async def decide_letters(
    services: Services, principal: Principal, letters: Sequence[StatedLetter], decision: Decision
) -> DecidedLetters:
    """Execute a decision on dead letters, with the hooks before and after it.

    :param letters: visible to the caller, at most ``MOST_DECIDED``.
    :raises InteractionsError: a guard refused the decision; nothing was sent.
    """
    mutation = Mutation(
        principal=principal,
        action=decision,
        resource_kind="customers.dead_letter",
        resource_id=None,
        data={"ids": sorted({stated.letter.id for stated in letters})},
    )
    await services.mutation_guards.run_before(mutation)
    outcome = await services.letter_decisions.decide(letters, decision, by=principal.subject)
    await services.mutation_guards.run_after(mutation, {"done": outcome.done})
    return outcome
