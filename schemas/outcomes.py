"""Value of the results topic: exactly one result per record of the commands topic."""

from __future__ import annotations

from typing import Final, Literal

from schemas.events import InstantText, NextInteractionSnapshot, Published

RESULT_TYPE: Final = "customers.interaction.result"

OutcomeName = Literal["applied", "rejected", "duplicate", "no_op"]


class OutcomeWarning(Published):
    """Warning to the publisher of a command that was not rejected.

    ``code`` is a stable machine-readable name, for example ``superseded``; ``field`` is the field of ``data``
    that the warning is about.
    """

    code: str
    field: str | None = None
    detail: str


class ProblemError(Published):
    """One invalid field: a JSON pointer into ``data``, or a CloudEvents attribute."""

    code: str
    detail: str
    pointer: str | None = None
    attribute: str | None = None


class Problem(Published):
    """Reason for a rejection (RFC 9457); ``currentVersion`` is set only with ``version_conflict``."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemError]
    current_version: int | None = None


class FirstOutcome(Published):
    """Outcome of a command when it was first decided.

    ``version`` is that of the interaction, deal, signal or draft, ``entityVersion`` that of the entity.
    ``invalidates`` lists cache tags (``schemas.cache_tags``). ``undoToken`` is set when the command can be
    undone. ``recordedAt`` is the time at which the broker appended the command. ``plannedInteractionId`` is
    the next step that the command planned.
    """

    command_id: str
    command_type: str | None = None
    outcome: OutcomeName
    tenant_id: str | None = None
    organization_id: str | None = None
    entity_id: str | None = None
    interaction_id: str | None = None
    signal_id: str | None = None
    draft_id: str | None = None
    version: int | None = None
    entity_version: int | None = None
    next_interaction: NextInteractionSnapshot | None = None
    planned_interaction_id: str | None = None
    undo_token: str | None = None
    invalidates: list[str]
    warnings: list[OutcomeWarning]
    validate_only: bool
    problem: Problem | None = None
    recorded_at: InstantText


class Result(FirstOutcome):
    """Outcome of one record, with its topic, partition and offset.

    ``first`` is set only with ``duplicate``.
    """

    first: FirstOutcome | None = None
    command_topic: str
    command_partition: int
    command_offset: int
