"""Retention: drop old months of the journal, and remove old rows of the other tables in small batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from pydantic.alias_generators import to_camel

from runtime.kafka import make_admin
from runtime.postgres import Connection
from runtime.retention_settings import read_retention_settings
from runtime.settings import Settings
from runtime.topics import topic_configs
from schemas.errors import Stop
from schemas.topics import DAY_MS
from sinks.due import server_time
from sinks.journal_months import (
    Month,
    MonthInUseError,
    drop_month,
    journal_months,
    keep_deletions,
    needed_by,
)
from sinks.leader_lock import resign, try_lead
from sinks.retention import expired_rows, remove_rows, row_policies
from sinks.retention_policy import BOUNDING_TOPICS, Policy, require_safe, retention_policies
from streams.jobs.context import JobContext, JobFailedError

_log = structlog.get_logger("jobs")
KIND: Final = "retention"
_BATCH: Final = 1000
_ATTEMPTS: Final = 5
_PAUSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthPlan:
    """Fate of a month of the journal: it is dropped, or kept for a reason."""

    name: str
    rows: int
    bytes: int
    drop: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsPlan:
    """Rows of a policy that retention would remove now, and the size of their table."""

    policy: Policy
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPlan:
    """Policies, and what they would remove now.

    :param topics: retention in days of the topics that bound the policies.
    """

    policies: tuple[Policy, ...]
    topics: dict[str, float]
    months: list[MonthPlan]
    rows: list[RowsPlan]


@dataclass(slots=True)
class Removed:
    """Removals of a run, by month and by policy; ``busy``: months that were in use."""

    months: list[str] = field(default_factory=list)
    busy: list[str] = field(default_factory=list)
    deletions_kept: int = 0
    rows: dict[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """JSON form: camelCase names."""
        return {to_camel(name): value for name, value in asdict(self).items()}


def read_policies(settings: Settings) -> tuple[tuple[Policy, ...], dict[str, float]]:
    """Build the policies from the settings, with floors from the topics on the broker.

    :raises Retry: the broker is unavailable; without it the floors are not known.
    """
    names = {settings.topic(topic): topic for topic in BOUNDING_TOPICS}
    topics = {}
    for name, config in topic_configs(make_admin(settings), list(names)).items():
        milliseconds = int(config.get("retention.ms") or -1)
        topics[names[name]] = milliseconds / DAY_MS if milliseconds >= 0 else math.inf
    return retention_policies(read_retention_settings(), topics), topics


def plan_retention(connection: Connection, settings: Settings) -> RetentionPlan:
    """Compute what retention would remove now; changes nothing."""
    policies, topics = read_policies(settings)
    now = server_time(connection)
    months = [_plan_month(connection, month, policies[0], now) for month in journal_months(connection)]
    rows = []
    for policy in row_policies(policies):
        expired = expired_rows(connection, policy)
        rows.append(RowsPlan(policy=policy, rows=expired.rows, bytes=expired.bytes))
    return RetentionPlan(policies=policies, topics=topics, months=months, rows=rows)


def apply_retention(
    connection: Connection,
    settings: Settings,
    proceed: Callable[[], None],
    wait: Callable[[float], object],
) -> Removed | None:
    """Remove what the policies allow. Interrupted at any point, the next run completes it.

    :param connection: in autocommit mode.
    :param proceed: called before each step; raises if the work may not go on.
    :param wait: waits for so many seconds.
    :returns: ``None`` if another process applies retention.
    :raises Stop: a policy is below its floor; nothing was removed.
    """
    policies, _ = read_policies(settings)
    require_safe(policies)
    if not try_lead(connection, KIND):
        return None
    try:
        return _apply(connection, policies, proceed, wait)
    finally:
        resign(connection, KIND)


def _apply(
    connection: Connection,
    policies: Sequence[Policy],
    proceed: Callable[[], None],
    wait: Callable[[float], object],
) -> Removed:
    removed, now = Removed(), server_time(connection)
    for month in journal_months(connection):
        proceed()
        if _plan_month(connection, month, policies[0], now).drop:
            removed.deletions_kept += keep_deletions(connection, month) if month.attached else 0
            dropped = _drop(connection, month, proceed, wait)
            (removed.months if dropped else removed.busy).append(month.name)
    for policy in row_policies(policies):
        removed.rows[policy.setting] = 0
        while True:
            proceed()
            count = remove_rows(connection, policy, _BATCH)
            removed.rows[policy.setting] += count
            if count < _BATCH:
                break
    return removed


def retention(context: JobContext) -> None:
    """Run retention as a job. The report has the months that were dropped and the rows that were removed.

    :raises JobFailedError: a policy is below its floor.
    """
    try:
        removed = apply_retention(context.connection, context.settings, context.proceed, context.wait)
    except Stop as error:
        raise JobFailedError(str(error)) from None
    if removed is None:
        context.save(report={"elsewhere": True})
        return
    total = len(removed.months) + sum(removed.rows.values())
    context.save(done=total, total=total, report=removed.to_json())


def plan_json(plan: RetentionPlan) -> dict[str, Any]:
    """JSON form of a plan: camelCase names; ``null`` for an unbounded topic."""
    return {
        "policies": [
            {
                "setting": it.setting,
                "table": it.table,
                "subject": it.subject,
                "days": it.days,
                "since": it.since,
                "floorDays": _finite(it.floor),
                "reason": it.reason,
                "refused": it.refused,
            }
            for it in plan.policies
        ],
        "topics": {name: _finite(days) for name, days in plan.topics.items()},
        "months": [asdict(month) for month in plan.months],
        "rows": [
            {"setting": it.policy.setting, "table": it.policy.table, "rows": it.rows, "bytes": it.bytes}
            for it in plan.rows
        ],
    }


def _plan_month(connection: Connection, month: Month, policy: Policy, now: datetime) -> MonthPlan:
    drop, reason = _decide(connection, month, policy, now)
    return MonthPlan(name=month.name, rows=month.rows, bytes=month.bytes, drop=drop, reason=reason)


def _decide(connection: Connection, month: Month, policy: Policy, now: datetime) -> tuple[bool, str]:
    """Decide whether a month goes; the costly checks come last."""
    if not month.attached:
        return True, "detached by an earlier run"
    if month.end > now - timedelta(days=policy.days):
        return False, f"kept for {policy.days:g} days after its end"
    if policy.refused:
        return False, "the policy is below its floor"
    needed = needed_by(connection, month)
    return (False, needed) if needed is not None else (True, "older than the policy")


def _drop(
    connection: Connection, month: Month, proceed: Callable[[], None], wait: Callable[[float], object]
) -> bool:
    for attempt in range(_ATTEMPTS):
        # Read once more: an interrupted attempt has changed its state.
        found = next((it for it in journal_months(connection) if it.name == month.name), None)
        if found is None:
            return True
        try:
            drop_month(connection, found)
        except MonthInUseError as error:
            _log.warning("jobs.month_in_use", month=month.name, attempt=attempt + 1, reason=str(error))
            proceed()
            wait(_PAUSE_SECONDS)
        else:
            _log.info("jobs.month_dropped", month=month.name, rows=month.rows, bytes=month.bytes)
            return True
    return False


def _finite(days: float) -> float | None:
    return days if math.isfinite(days) else None
