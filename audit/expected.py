"""Expected outcome of a command, as derived by the auditor's own rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from audit.interaction_tuple import Interaction
from audit.signals.children import Change

#: Rejection codes that are compared; for all others only the outcome is.
COMPARED_CODES: Final = frozenset(
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
        "entity_erased",
        "signal_not_found",
        "signal_exists",
        "too_many_signals",
        "person_required",
        "signal_skipped",
        "signal_resolving",
        "signal_resolved",
        "not_resolving",
        "blank_draft",
        "draft_not_found",
        "draft_sent",
        "draft_deleted",
        "signal_of_other_interaction",
        "repeated_signal",
    }
)


class Step(NamedTuple):
    """Change of the next step of a completed interaction.

    :param event: last word of the lifecycle event's type.
    :param version: version after the change, or of the deletion.
    """

    event: str
    before: Interaction | None
    after: Interaction | None
    version: int

    @property
    def id(self) -> str:
        """Id of the next step."""
        row = self.after or self.before
        return row.id if row else ""


@dataclass(slots=True)
class Expected:
    """Expected outcome and effects of one command.

    :param code: rejection code.
    :param event: last word of the lifecycle event's type.
    :param before, after: the interaction; ``after`` of a deletion is ``None``.
    :param version: version of the interaction, or of its deletion, after the command; of a command on a
        signal or draft: that of the row.
    :param step: change of the next step.
    :param changes: signals, drafts and outcomes that change.
    :param signal, draft: ids of the signal and the draft that the result names.
    :param record: type of the event of a customer or deal, without ``customers.``.
    :param entity, deal, entry: new field values of the entity, deal or dictionary entry.
    :param flag: a feature flag and its new value.
    :param erases: the customer goes, with everything that belongs to it.
    :param bumps: the entity's version is incremented; ``None``: the contract leaves it open.
    :param cross: rejection codes that are also acceptable, because another partition's state decides.
    :param either: outcomes that are also acceptable, for the same reason.
    :param next: a next_interaction.updated must be published; ``None``: depends on labels.
    """

    outcome: str
    code: str | None = None
    event: str | None = None
    interaction: str | None = None
    before: Interaction | None = None
    after: Interaction | None = None
    version: int | None = None
    step: Step | None = None
    changes: tuple[Change, ...] = ()
    signal: str | None = None
    draft: str | None = None
    record: str | None = None
    entity: dict[str, Any] | None = None
    deal: dict[str, Any] | None = None
    entry: dict[str, Any] | None = None
    flag: tuple[str, bool] | None = None
    erases: bool = False
    bumps: bool | None = True
    cross: frozenset[str] = frozenset()
    either: tuple[str, ...] = ()
    next: bool | None = False

    @property
    def of_entity(self) -> bool:
        """Return whether the command changes an entity, not a dictionary or a flag."""
        return self.entry is None and self.flag is None


def rejected(code: str, *also: str) -> Expected:
    """Expect a rejection; ``also`` are codes that are equally acceptable."""
    return Expected("rejected", code=code, bumps=False, cross=frozenset(also))


def no_op(*either: str) -> Expected:
    """Expect no change."""
    return Expected("no_op", bumps=False, either=either)
