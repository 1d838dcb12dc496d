"""Stall detection: integrations that make no progress while work waits (due or deferred items, polls).

All input comes from the database, so a connectors process that hangs, loops or does not run is noticed too.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from psycopg.types.json import Jsonb

from connectors.store.integrations import Integration, list_integrations
from runtime.health import Stall
from runtime.postgres import Connection
from schemas.flags import EXTERNAL_SYNC
from schemas.instants import format_instant
from sinks.flags import flags_of

#: Longest time that work waits without progress of its integration before it counts as stalled.
STALL_AFTER: Final = timedelta(seconds=90)
#: Longer than any pause of the connectors; the longest is 24 h, the last step of the webhook schedule.
_LONGEST_PAUSE: Final = timedelta(hours=27)
_POLL: Final = "connectors.polled:"

_ITEMS: Final = """
SELECT min(next_attempt_at) FILTER (WHERE next_attempt_at <= %(late)s),
  count(*) FILTER (WHERE next_attempt_at <= %(late)s),
  max(next_attempt_at) FILTER (WHERE next_attempt_at > %(beyond)s),
  count(*) FILTER (WHERE next_attempt_at > %(beyond)s),
  coalesce(bool_or(next_attempt_at IS NULL AND NOT parked AND updated_at > now() - %(patience)s), FALSE),
  (array_agg(last_error ORDER BY next_attempt_at) FILTER (WHERE last_error IS NOT NULL))[1]
FROM sync_ledger WHERE integration_id = %(integration)s
"""


def sync_stalls(connection: Connection, now: datetime) -> list[Stall]:
    """Active integrations whose items or polls make no progress.

    Paused and disabled integrations are not stalls: their state says that they wait for a user.
    """
    found: list[Stall] = []
    switched: dict[str, bool] = {}
    for integration in list_integrations(connection):
        tenant = integration.tenant_id
        if integration.state != "active":
            continue
        if tenant not in switched:
            switched[tenant] = flags_of(connection, tenant)[EXTERNAL_SYNC].enabled
        if switched[tenant]:
            found += _items(connection, integration, now)
            found += _polls(connection, integration, now)
    return found


def note_poll(
    connection: Connection,
    integration: Integration,
    due_at: datetime,
    *,
    done_at: datetime | None = None,
    reason: str | None = None,
) -> None:
    """Record the time of the next poll and the result of the last one.

    :param done_at: time of a successful poll; ``None`` keeps the previous time.
    :param reason: why the last poll failed.
    """
    known = {"dueAt": format_instant(due_at), "reason": reason}
    if done_at is not None:
        known["doneAt"] = format_instant(done_at)
    connection.execute(
        "INSERT INTO job_checkpoints (job, tenant_id, organization_id, checkpoint)"
        " SELECT %(job)s, %(tenant)s, %(organization)s, %(first)s || %(known)s"
        # Store nothing for an integration that was removed during the poll.
        " FROM integrations WHERE id = %(id)s FOR KEY SHARE"
        " ON CONFLICT (job, tenant_id, organization_id) DO UPDATE"
        " SET checkpoint = job_checkpoints.checkpoint || %(known)s, updated_at = now()",
        {
            "id": integration.id,
            "job": _POLL + integration.id,
            "tenant": integration.tenant_id,
            "organization": integration.organization_id,
            "first": Jsonb({"doneAt": format_instant(due_at)}),
            "known": Jsonb(known),
        },
    )


def _items(connection: Connection, integration: Integration, now: datetime) -> Iterator[Stall]:
    row = connection.execute(
        _ITEMS,
        {
            "integration": integration.id,
            "late": now - STALL_AFTER,
            "beyond": now + _LONGEST_PAUSE,
            "patience": STALL_AFTER,
        },
    ).fetchone()
    assert row is not None
    since, late, until, beyond, moves, error = row
    if since is not None and not moves:
        yield _stall(
            "sync", integration, now - since,
            f"Integration {integration.id} has {_items_text(late)} due since {_at(since)} and has completed"
            f" none for {STALL_AFTER.total_seconds():g} s{_because(error)}."
            f" Run `interactions connectors status {integration.id}`.",
        )  # fmt: skip
    if until is not None:
        yield _stall(
            "sync", integration, timedelta(0),
            f"Integration {integration.id} has {_items_text(beyond)} deferred until {_at(until)}"
            f"{_because(error)}. Retry now with `interactions connectors retry --all"
            f" --integration {integration.id}`.",
        )  # fmt: skip


def _polls(connection: Connection, integration: Integration, now: datetime) -> Iterator[Stall]:
    row = connection.execute(
        "SELECT checkpoint FROM job_checkpoints WHERE job = %s AND tenant_id = %s AND organization_id = %s",
        (_POLL + integration.id, integration.tenant_id, integration.organization_id),
    ).fetchone()
    if row is None:
        return
    known: dict[str, Any] = row[0]
    due, done = (datetime.fromisoformat(known[name]) for name in ("dueAt", "doneAt"))
    if now - due > STALL_AFTER:
        yield _stall(
            "polls", integration, now - due,
            f"The poll of integration {integration.id} due at {_at(due)} has not finished"
            f"{_because(known['reason'])}. Check that the connectors role is running, and read its log.",
        )  # fmt: skip
    elif known["reason"] is not None and now - done > STALL_AFTER:
        yield _stall(
            "polls", integration, now - done,
            f"Polls of integration {integration.id} have failed since {_at(done)}"
            f"{_because(known['reason'])}. The next one is at {_at(due)}.",
        )  # fmt: skip


def _stall(stage: str, integration: Integration, waited: timedelta, reason: str) -> Stall:
    return Stall(stage, f"integration {integration.id}", max(waited.total_seconds(), 0.0), reason)


def _items_text(count: int) -> str:
    return "1 item" if count == 1 else f"{count} items"


def _at(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _because(reason: str | None) -> str:
    return f" ({reason})" if reason else ""
