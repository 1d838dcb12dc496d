"""The value of the results topic: exactly one outcome for each record of the commands topic."""

from __future__ import annotations

from typing import Final, Literal

from schemas.events import InstantText, NextInteractionSnapshot, Published

RESULT_TYPE: Final = "customers.interaction.result"

OutcomeName = Literal["applied", "rejected", "duplicate", "no_op"]


class OutcomeWarning(Published):
    """Something the publisher should know although the command was not rejected.

    :param code: stable machine name, for example ``superseded``.
    :param field: the field of ``data`` it is about.
    """

    code: str
    field: str | None = None
    detail: str


class ProblemError(Published):
    """One field to blame: a JSON pointer into ``data``, or a CloudEvents attribute."""

    code: str
    detail: str
    pointer: str | None = None
    attribute: str | None = None


class Problem(Published):
    """Why a command was rejected (RFC 9457); ``currentVersion`` only with ``version_conflict``."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    errors: list[ProblemError]
    current_version: int | None = None


class FirstOutcome(Published):
    """What became of a command when it was first carried out.

    ``version`` is the interaction's or the deal's, ``entityVersion`` the entity's; ``invalidates`` holds
    cache tags (``schemas.cache_tags``); ``undoToken`` is given when the command can be taken back;
    ``recordedAt`` is when the broker appended the command.
    """

    command_id: str
    command_type: str | None = None
    outcome: OutcomeName
    tenant_id: str | None = None
    organization_id: str | None = None
    entity_id: str | None = None
    interaction_id: str | None = None
    version: int | None = None
    entity_version: int | None = None
    next_interaction: NextInteractionSnapshot | None = None
    undo_token: str | None = None
    invalidates: list[str]
    warnings: list[OutcomeWarning]
    validate_only: bool
    problem: Problem | None = None
    recorded_at: InstantText


class Result(FirstOutcome):
    """The outcome of one record, with its place in the log.

    ``first`` is given with ``duplicate`` only.
    """

    first: FirstOutcome | None = None
    command_topic: str
    command_partition: int
    command_offset: int
