"""The rules: decide commands against a unit of work. Pure: no clock, no randomness, no I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from domain import drafts, signals
from domain.decision import Decision
from domain.dictionary import upsert_type
from domain.due import mark_due
from domain.entities import upsert_deal, upsert_entity
from domain.erasure import erase_entity
from domain.fix import fix
from domain.flags import set_flag
from domain.lifecycle import cancel, complete, create, delete, reopen
from domain.log_identity import log_identity
from domain.lookup import check_not_erased
from domain.outcome import rejected, repeated
from domain.recompute import recompute_next
from domain.undo import undo
from domain.unit_of_work import UnitOfWork
from domain.update import update
from schemas.command import Command, Refused
from schemas.errors import Reject

#: Command type → its rule, called with the unit of work, the command and its data.
HANDLERS: Final[dict[str, Callable[[UnitOfWork, Command, Any], Decision]]] = {
    "customers.entity.upsert": upsert_entity,
    "customers.entity.erase": erase_entity,
    "customers.deal.upsert": upsert_deal,
    "customers.interaction_type.upsert": upsert_type,
    "customers.feature_flag.set": set_flag,
    "customers.interaction.create": create,
    "customers.interaction.update": update,
    "customers.interaction.fix": fix,
    "customers.interaction.complete": complete,
    "customers.interaction.cancel": cancel,
    "customers.interaction.reopen": reopen,
    "customers.interaction.delete": delete,
    "customers.interaction.undo": undo,
    "customers.interaction.recompute_next": recompute_next,
    "customers.interaction.mark_due": mark_due,
    "customers.signal.record": signals.record,
    "customers.signal.update": signals.update,
    "customers.signal.resolve": signals.resolve,
    "customers.signal.attach_draft": signals.attach_draft,
    "customers.signal.fail_draft": signals.fail_draft,
    "customers.signal.skip": signals.skip,
    "customers.signal.reopen": signals.reopen,
    "customers.draft.update": drafts.update,
    "customers.draft.mark_sent": drafts.mark_sent,
    "customers.draft.delete": drafts.delete,
    "customers.draft.restore": drafts.restore,
}


def decide(work: UnitOfWork, command: Command | Refused) -> Decision:
    """Decide one command; the unit of work is read, not changed."""
    entry = work.journal.get(log_identity(command))
    if entry is not None:
        return repeated(command, entry)
    if isinstance(command, Refused):
        return rejected(command, command.rejection)
    try:
        check_not_erased(work, command)
        decision = HANDLERS[command.envelope.type](work, command, command.payload)
    except Reject as rejection:
        return rejected(command, rejection, logged=not command.validate_only)
    return _dry_run(decision) if command.validate_only else decision


def fold(work: UnitOfWork, commands: Iterable[Command | Refused]) -> list[Decision]:
    """Decide and apply commands in order; the unit of work then holds the changes to store."""
    decisions = []
    for command in commands:
        decision = decide(work, command)
        work.apply(decision)
        decisions.append(decision)
    return decisions


def _dry_run(decision: Decision) -> Decision:
    """Strip a decision to its outcome: nothing is stored, and nothing is published but the result."""
    return Decision(command=decision.command, entry=decision.entry, logged=False)
