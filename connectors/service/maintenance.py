"""Maintenance of an integration besides its ledger: polls, health checks, webhook registration, repairs."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from connectors.sdk.http_errors import bounded_pause
from connectors.sdk.remote import Health
from connectors.service.registry import Entry
from connectors.store.integrations import lock_unchanged, read_integration, set_health
from connectors.store.schedules import SCHEDULED, note_begun, note_ended, seconds_until_due
from connectors.store.stalls import note_poll
from connectors.store.webhook_receipts import received_since
from connectors.sync.digest import send_due_digest
from connectors.sync.failure_policy import close_integration, reason_of
from connectors.sync.poller import poll
from connectors.sync.reconciler import reconcile, relist_provider
from connectors.sync.session import Session
from runtime.postgres import Connection, Outage
from schemas.errors import NeedsAuth, Retry, Stop

_log = structlog.get_logger("connectors")
_HEALTH_SECONDS: Final = 120.0
_WEBHOOK_SECONDS: Final = 300.0
_RECONCILE_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 6 * 3600.0
#: Pause after the first failure of a task, and the longest one.
_FAILED_SECONDS: Final = 60.0
_LONGEST_FAILED: Final = 600.0
#: Time limit for all exchanges of one task together.
TASK_SECONDS: Final = 300.0
#: Factor on the pause between polls while webhooks are known to arrive.
_WITH_WEBHOOKS: Final = 10.0
#: Time for which one verified webhook proves that webhooks arrive.
_WEBHOOK_PROOF: Final = timedelta(days=1)

#: Name, seconds between runs, and function of a task.
Task = tuple[str, float, Callable[[Session, Connection], object]]


def run_maintenance(entry: Entry, connection: Connection, scale: float, beat: Callable[[], None]) -> bool:
    """Run the tasks that are due; return true if there were any. A failed task is retried later.

    :param scale: factor on the pauses between polls, and on those after failures.
    :param beat: called before each task.
    """
    session, worked = entry.opened.session, False
    tasks = _tasks(session, scale)
    if "poll" not in entry.due and any(name == "poll" for name, _, _ in tasks):
        # Hazard: note the first poll before any task runs. If a health check hung, the missing poll would
        # otherwise never be reported as a stall.
        note_poll(connection, session.integration, due_at=session.now())
    for name, seconds, task in tasks:
        now = session.now()
        if name not in entry.due and name in SCHEDULED:
            entry.due[name] = _first_due(entry, connection, name, seconds)
        if entry.due.get(name, now) > now:
            continue
        if name == "health" and entry.unusable is not None:
            # Keep the stored health: it tells why the newer settings are not in use.
            entry.due[name] = now + timedelta(seconds=seconds)
            continue
        beat()
        worked = True
        if name == "poll":
            note_poll(connection, session.integration, due_at=now)
        if name in SCHEDULED:
            note_begun(connection, name, session.integration.id)
        error = _run(session, connection, task)
        rarity = _WITH_WEBHOOKS if name == "poll" and _webhooks_arrive(session, connection) else 1.0
        pause = seconds * rarity if error is None else _failed(entry, name, error, scale)
        if error is None:
            entry.failures.pop(name, None)
        entry.due[name] = session.now() + timedelta(seconds=pause)
        if name in SCHEDULED:
            note_ended(connection, name, session.integration.id, error, pause)
        if name == "poll":
            done_at = session.now() if error is None else None
            reason = None if error is None else reason_of(error)
            note_poll(connection, session.integration, entry.due[name], done_at=done_at, reason=reason)
    return worked


def _first_due(entry: Entry, connection: Connection, name: str, seconds: float) -> datetime:
    """Time at which a scheduled task is due first in this process; a missed one at once.

    An integration that was started, resumed or changed is also reconciled at once. A full listing asks much
    of a provider, so it waits for its time, which outlives restarts. A digest waits for its hour, which the
    settings may have moved.
    """
    first_after = 0.0 if name == "reconcile" else seconds
    remaining = seconds_until_due(connection, name, entry.integration.id, first_after)
    pause = {"look": remaining, "digest": min(remaining, seconds)}.get(name, 0.0)
    return entry.opened.session.now() + timedelta(seconds=pause)


def has_due(entry: Entry) -> bool:
    """Report whether a task is due, without calling the database or the provider."""
    now = entry.opened.session.now()
    # Hazard: a copy, because the thread that runs the tasks adds to the times meanwhile.
    return "reconcile" not in entry.due or any(due <= now for due in list(entry.due.values()))


def pause_after(failures: int, error: Exception, scale: float) -> float:
    """Seconds before a failed task is retried: exponential, and at least what the provider asked for."""
    asked = bounded_pause(getattr(error, "after", None)) if isinstance(error, Retry) else 0.0
    grown: float = _FAILED_SECONDS * 2 ** min(failures - 1, 10)
    return max(asked, min(grown, _LONGEST_FAILED) * scale * random.uniform(0.9, 1.1))


def _run(
    session: Session, connection: Connection, task: Callable[[Session, Connection], object]
) -> Exception | None:
    """Run a task; return its error, if it failed."""
    try:
        with session.time_limit(TASK_SECONDS):
            task(session, connection)
    except Outage:
        raise
    except (NeedsAuth, Stop) as error:
        close_integration(connection, session, error)
        return error
    except Exception as error:  # noqa: BLE001 - a defect in one provider must not stop the others
        # If the integration was removed meanwhile, its rows are gone and the registry closes it soon.
        gone = not isinstance(error, Retry) and read_integration(connection, session.integration.id) is None
        return None if gone else error
    return None


def _tasks(session: Session, scale: float) -> list[Task]:
    features = session.declaration.features
    tasks: list[Task] = [
        ("reconcile", _RECONCILE_SECONDS * scale, reconcile),
        ("health", _HEALTH_SECONDS, check_health),
    ]
    if "webhooks" in features and session.webhooks_enabled:
        tasks.append(("webhook", _WEBHOOK_SECONDS, ensure_webhook))
    if "poll" in features:
        tasks.append(("poll", session.declaration.poll_seconds * scale, poll))
        tasks.append(("look", _LOOK_SECONDS * scale, relist_provider))
    if session.digest is not None:
        tasks.append(("digest", session.digest.seconds_until_next(session.now()), send_due_digest))
    return tasks


def _webhooks_arrive(session: Session, connection: Connection) -> bool:
    """Report whether a verified webhook arrived recently; registration alone proves nothing."""
    return session.webhooks_enabled and received_since(
        connection, session.integration.id, session.now() - _WEBHOOK_PROOF
    )


def ensure_webhook(session: Session, connection: Connection) -> None:
    """Keep the webhook registered, unless the integration was removed meanwhile."""
    session.provider.ensure_webhook()
    # Hazard: a removal deregisters after its commit, which may be before the call above registers it again.
    if read_integration(connection, session.integration.id) is None:
        session.provider.delete_webhook()


def check_health(session: Session, connection: Connection) -> None:
    """Check the provider's health and store the result.

    :raises NeedsAuth: the credentials were refused; the integration is to be stopped.
    :raises Stop: the provider closed the integration.
    """
    try:
        health = session.provider.health()
    except (NeedsAuth, Stop):
        raise
    except Exception as error:  # noqa: BLE001 - a defect in the provider's code counts as unhealthy
        health = Health(ok=False, detail=reason_of(error))
    with connection.transaction():
        if not lock_unchanged(connection, session.integration):
            return
        known = read_integration(connection, session.integration.id)
        set_health(connection, session.integration.id, health.ok, health.detail, session.now())
    if known is not None and known.healthy is not None and known.healthy != health.ok:
        session.announce("health_changed", session.integration, None, {"healthy": health.ok})


def _failed(entry: Entry, task: str, error: Exception, scale: float) -> float:
    """Count and log a failure; return the seconds until the next attempt."""
    integration = entry.integration
    failures = entry.failures[task] = entry.failures.get(task, 0) + 1
    pause = pause_after(failures, error, scale)
    _log.warning(
        "connectors.chore_failed",
        integration=integration.id,
        tenant=integration.tenant_id,
        organization=integration.organization_id,
        chore=task,
        reason=type(error).__name__,
        detail=reason_of(error),
        again_in=round(pause),
    )
    return pause
