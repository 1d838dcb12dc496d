"""Expired rows, by policy: counted, and removed in small batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runtime.postgres import Connection
from sinks.retention_policy import Policy

_FINISHED: Final = "state IN ('completed', 'failed', 'canceled')"
#: Policies of rows, by their setting: the table, its key, and the condition with the days as parameter.
#: The newest job of a kind stays: the next one reads its report.
_OLD_JOBS: Final = f"""{_FINISHED} AND finished_at < now() - make_interval(secs => 86400 * %(days)s)
  AND kind {{}} (SELECT name FROM job_schedules) AND EXISTS (
    SELECT FROM jobs n WHERE n.kind = jobs.kind AND n.tenant_id IS NOT DISTINCT FROM jobs.tenant_id
    AND n.created_at > jobs.created_at AND n.state = 'completed')"""  # noqa: S608 - constant texts
_RULES: Final[dict[str, tuple[str, str, str]]] = {
    "ECHOES_DAYS": (
        "sync_echo_log",
        "id",
        "expires_at < now() - make_interval(secs => 86400 * %(days)s)",
    ),
    "RECEIPTS_DAYS": (
        "webhook_receipts",
        "integration_id, event_id",
        "received_at < now() - make_interval(secs => 86400 * %(days)s)",
    ),
    "WARNINGS_DAYS": (
        "integration_warnings",
        "id",
        "state = 'resolved' AND resolved_at < now() - make_interval(secs => 86400 * %(days)s)",
    ),
    "VIOLATIONS_DAYS": (
        "integrity_violations",
        "id",
        "healed_at < now() - make_interval(secs => 86400 * %(days)s)",
    ),
    "JOBS_DAYS": ("jobs", "id", _OLD_JOBS.format("NOT IN")),
    "RUNS_DAYS": ("jobs", "id", _OLD_JOBS.format("IN")),
}
_SIZE_SQL: Final = "SELECT pg_total_relation_size(%s::regclass)"


@dataclass(frozen=True, slots=True)
class Expired:
    """Rows of a policy that retention would remove now.

    :param bytes: size of the whole table with its indexes.
    """

    rows: int
    bytes: int


def _rule(policy: Policy) -> tuple[str, str, str]:
    return next(rule for setting, rule in _RULES.items() if policy.setting.endswith(f"_{setting}"))


def row_policies(policies: Sequence[Policy]) -> list[Policy]:
    """Return the policies of rows: all but that of the journal."""
    return [it for it in policies if it.table != "journal"]


def expired_rows(connection: Connection, policy: Policy) -> Expired:
    """Count the rows that a policy would remove now."""
    table, _, condition = _rule(policy)
    counted = connection.execute(
        f"SELECT count(*) FROM {table} WHERE {condition}",  # noqa: S608 - constant texts
        {"days": policy.days},
    ).fetchone()
    sized = connection.execute(_SIZE_SQL, (table,)).fetchone()
    assert counted is not None
    assert sized is not None
    return Expired(int(counted[0]), int(sized[0]))


def remove_rows(connection: Connection, policy: Policy, limit: int = 1000) -> int:
    """Remove up to ``limit`` rows of a policy in one short transaction; returns how many."""
    table, key, condition = _rule(policy)
    done = connection.execute(
        f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {condition} LIMIT %(limit)s)",  # noqa: S608 - constant texts
        {"days": policy.days, "limit": limit},
    )
    return done.rowcount
