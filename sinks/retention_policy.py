"""Retention policies: how long the rows of each table are kept, and why not shorter."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from runtime.retention_settings import RETENTION_PREFIX, RetentionSettings
from schemas.errors import Stop
from schemas.topics import COMMANDS, DEAD_LETTERS, EVENTS, INTEGRATION_DECISIONS

#: Time after which a change may no longer be undone. Promised to users, so the journal is kept for longer.
UNDO_DAYS: Final = 30.0
#: Topics whose retention bounds that of a table.
BOUNDING_TOPICS: Final = (COMMANDS, EVENTS, DEAD_LETTERS, INTEGRATION_DECISIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Retention of one table.

    :param subject: the rows, in words.
    :param days: they are kept for this time; ``since``: from when it counts.
    :param floor: fewest days that are safe; ``reason``: why.
    :param setting: environment variable of ``days``.
    """

    subject: str
    table: str
    days: float
    since: str
    floor: float
    reason: str
    setting: str

    @property
    def refused(self) -> bool:
        """True if the policy is below its floor."""
        return self.days < self.floor


def retention_policies(settings: RetentionSettings, topics: Mapping[str, float]) -> tuple[Policy, ...]:
    """Build the policies of all tables; that of the journal first.

    :param topics: retention in days by topic of ``BOUNDING_TOPICS``; infinite for an unbounded one.
    """
    replay = max(topics[COMMANDS] + UNDO_DAYS, topics[DEAD_LETTERS], topics[EVENTS])
    why = (
        f"commands can be read once more for {topics[COMMANDS]:g} days and undone for {UNDO_DAYS:g};"
        f" dead letters can be replayed for {topics[DEAD_LETTERS]:g} days,"
        f" and events are audited for {topics[EVENTS]:g}"
    )
    rows: tuple[tuple[str, str, str, str, float, str], ...] = (
        (
            "months of the journal",
            "journal",
            "journal_days",
            "the end of the month",
            replay,
            why,
        ),
        (
            "echoes of writes to providers",
            "sync_echo_log",
            "echoes_days",
            "the echo expired",
            0.0,
            "an expired echo is never matched",
        ),
        (
            "receipts of webhooks",
            "webhook_receipts",
            "receipts_days",
            "the delivery arrived",
            7.0,
            "providers deliver a webhook again for days",
        ),
        (
            "resolved warnings of integrations",
            "integration_warnings",
            "warnings_days",
            "the warning was resolved",
            topics[INTEGRATION_DECISIONS],
            f"decisions on them can be read once more for {topics[INTEGRATION_DECISIONS]:g} days",
        ),
        (
            "healed violations",
            "integrity_violations",
            "violations_days",
            "the violation healed",
            7.0,
            "an operator looks for the cause after the repair",
        ),
        (
            "finished jobs and their batches",
            "jobs",
            "jobs_days",
            "the job ended",
            30.0,
            "the report of a backfill is evidence of the move",
        ),
        (
            "runs of recurring jobs",
            "jobs",
            "runs_days",
            "the run ended",
            1.0,
            "an operator reads what the last runs found",
        ),
    )
    return tuple(
        Policy(
            subject=subject,
            table=table,
            days=getattr(settings, field),
            since=since,
            floor=floor,
            reason=reason,
            setting=f"{RETENTION_PREFIX}{field.upper()}",
        )
        for subject, table, field, since, floor, reason in rows
    )


def require_safe(policies: Collection[Policy]) -> None:
    """Check the policies against their floors.

    :raises Stop: a policy is below its floor; the message names it with the floor and its reason.
    """
    refused = [
        f"  {it.setting}={it.days:g} is below the floor of {it.floor:g} days: {it.reason}."
        for it in policies
        if it.refused
    ]
    if refused:
        raise Stop("\n".join(["Nothing was dropped. These retention policies are not safe:", *refused]))
