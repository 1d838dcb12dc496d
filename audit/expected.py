"""What the auditor's own rules say of a command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from audit.interaction_tuple import Interaction

#: Rejections whose name is fixed by the contract; of the others only the outcome is compared.
NAMED: Final = frozenset(
    {
        "already_done",
        "already_canceled",
        "already_planned",
        "complete_canceled",
        "cancel_done",
        "version_conflict",
        "undo_unsafe",
        "undo_not_found",
        "undo_not_available",
        "interaction_not_found",
        "id_not_available",
        "idempotency_conflict",
    }
)


@dataclass(slots=True)
class Expected:
    """What must have happened.

    :param code: name of the rejection.
    :param event: last word of the lifecycle event's type.
    :param before, after: the interaction; ``after`` of a deletion is ``None``.
    :param version: of the interaction or its deletion after the command.
    :param entity, deal, entry: new field values of the entity, a deal, a dictionary entry.
    :param flag: a feature flag and its new value.
    :param bumps: whether the entity's version grows; ``None``: the contract leaves it open.
    :param cross: rejections that would be right too, because a fact of another partition decides.
    :param either: outcomes that are right too, for the same reason.
    :param next: whether a next_interaction.updated must come out; ``None``: it depends on labels.
    """

    outcome: str
    code: str | None = None
    event: str | None = None
    interaction: str | None = None
    before: Interaction | None = None
    after: Interaction | None = None
    version: int | None = None
    entity: dict[str, Any] | None = None
    deal: dict[str, Any] | None = None
    entry: dict[str, Any] | None = None
    flag: tuple[str, bool] | None = None
    bumps: bool | None = True
    cross: frozenset[str] = frozenset()
    either: tuple[str, ...] = ()
    next: bool | None = False

    @property
    def of_entity(self) -> bool:
        """Whether it is about an entity, not about a dictionary or a flag."""
        return self.entry is None and self.flag is None


def rejected(code: str, *also: str) -> Expected:
    """A rejection by name; ``also`` are names that would be as right."""
    return Expected("rejected", code=code, bumps=False, cross=frozenset(also))


def no_op(*either: str) -> Expected:
    """Nothing changes."""
    return Expected("no_op", bumps=False, either=either)
