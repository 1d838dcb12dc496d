"""What an integration needs besides its ledger: polls, signs of life, its webhook, repairs."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from connectors.sdk.http_errors import bounded_pause
from connectors.sdk.remote import Health
from connectors.service.registry import Entry
from connectors.store.integrations import read_integration, set_health
from connectors.store.stalls import note_poll
from connectors.store.webhook_receipts import received_since
from connectors.sync.failure_policy import close_integration, reason_of
from connectors.sync.poller import poll
from connectors.sync.reconciler import look_at_everything, reconcile
from connectors.sync.session import Session
from runtime.postgres import Connection, Outage
from schemas.errors import NeedsAuth, Retry, Stop

_log = structlog.get_logger("connectors")
_HEALTH_SECONDS: Final = 120.0
_WEBHOOK_SECONDS: Final = 300.0
_RECONCILE_SECONDS: Final = 300.0
_LOOK_SECONDS: Final = 6 * 3600.0
#: Pause after the first failure of a chore, and the longest one.
_FAILED_SECONDS: Final = 60.0
_LONGEST_FAILED: Final = 600.0
#: For all exchanges of one chore together.
CHORE_SECONDS: Final = 300.0
#: Polls are ten times as rare where webhooks are known to arrive.
_WITH_WEBHOOKS: Final = 10.0
#: How long one verified delivery shows that webhooks arrive.
_HEARD: Final = timedelta(days=1)


def do_chores(entry: Entry, connection: Connection, scale: float, beat: Callable[[], None]) -> bool:
    """Do what is due; a chore that fails is done again later and stops nothing.

    :param scale: factor on the pauses between polls, and on those after failures.
    :param beat: called before each chore.
    """
    session, worked = entry.opened.session, False
    for name, seconds, chore in _chores(session, scale):
        now = session.now()
        if name not in entry.due and name == "look":
            entry.due[name] = now + timedelta(seconds=seconds)
        if entry.due.get(name, now) > now:
            continue
        if name == "health" and entry.unusable is not None:
            # The entry's health is the reason why its newer settings are not in use.
            entry.due[name] = now + timedelta(seconds=seconds)
            continue
        beat()
        worked = True
        if name == "poll":
            note_poll(connection, session.integration, due_at=now)
        error = _done(session, connection, chore)
        rarity = _WITH_WEBHOOKS if name == "poll" and _heard(session, connection) else 1.0
        pause = seconds * rarity if error is None else _failed(entry, name, error, scale)
        if error is None:
            entry.failures.pop(name, None)
        entry.due[name] = session.now() + timedelta(seconds=pause)
        if name == "poll":
            done_at = session.now() if error is None else None
            reason = None if error is None else reason_of(error)
            note_poll(connection, session.integration, entry.due[name], done_at=done_at, reason=reason)
    return worked


def has_due(entry: Entry) -> bool:
    """Return whether a chore is due, without asking the database or the provider."""
    now = entry.opened.session.now()
    return "reconcile" not in entry.due or any(due <= now for due in entry.due.values())


def pause_after(failures: int, error: Exception, scale: float) -> float:
    """Seconds before a failed chore is done again: exponential, at least what the provider asked for."""
    asked = bounded_pause(error.after) if isinstance(error, Retry) else 0.0
    grown: float = _FAILED_SECONDS * 2 ** min(failures - 1, 10)
    return max(asked, min(grown, _LONGEST_FAILED) * scale * random.uniform(0.9, 1.1))


def _done(
    session: Session, connection: Connection, chore: Callable[[Session, Connection], object]
) -> Exception | None:
    """Carry out a chore; its failure, if it failed."""
    try:
        with session.turn(CHORE_SECONDS):
            chore(session, connection)
    except Outage:
        raise
    except (NeedsAuth, Stop) as error:
        close_integration(connection, session, error)
        return error
    except Exception as error:  # noqa: BLE001 - a defect of one provider must not stop the others
        # Removed meanwhile: its rows are gone, and the registry closes it soon.
        gone = not isinstance(error, Retry) and read_integration(connection, session.integration.id) is None
        return None if gone else error
    return None


def _chores(
    session: Session, scale: float
) -> list[tuple[str, float, Callable[[Session, Connection], object]]]:
    features = session.declaration.features
    chores: list[tuple[str, float, Callable[[Session, Connection], object]]] = [
        ("reconcile", _RECONCILE_SECONDS * scale, reconcile),
        ("health", _HEALTH_SECONDS, check_health),
    ]
    hears = "webhooks" in features and session.hears
    if hears:
        chores.append(("webhook", _WEBHOOK_SECONDS, ensure_webhook))
    if "poll" in features:
        chores.append(("poll", session.declaration.poll_seconds * scale, poll))
        chores.append(("look", _LOOK_SECONDS * scale, look_at_everything))
    return chores


def _heard(session: Session, connection: Connection) -> bool:
    """Report whether a delivery with a good signature arrived lately: a registered webhook proves nothing."""
    return session.hears and received_since(connection, session.integration.id, session.now() - _HEARD)


def ensure_webhook(session: Session, connection: Connection) -> None:
    """Keep the webhook registered, and leave none behind for an integration that was removed meanwhile."""
    session.provider.ensure_webhook()
    # Hazard: the removal deregisters after its commit, which may be before this registers it again.
    if read_integration(connection, session.integration.id) is None:
        session.provider.delete_webhook()


def check_health(session: Session, connection: Connection) -> None:
    """Ask for a sign of life and note the answer; a refusal of credentials pauses the integration."""
    try:
        health = session.provider.health()
    except (NeedsAuth, Stop) as error:
        set_health(connection, session.integration.id, False, reason_of(error), session.now())
        raise
    except Exception as error:  # noqa: BLE001 - also a defect of the provider is not healthy
        health = Health(ok=False, detail=reason_of(error))
    known = read_integration(connection, session.integration.id)
    if known is not None and known.healthy is not None and known.healthy != health.ok:
        session.announce("health_changed", session.integration, None, {"healthy": health.ok})
    set_health(connection, session.integration.id, health.ok, health.detail, session.now())


def _failed(entry: Entry, chore: str, error: Exception, scale: float) -> float:
    """Count and log a failure; seconds until the next try."""
    integration = entry.integration
    failures = entry.failures[chore] = entry.failures.get(chore, 0) + 1
    pause = pause_after(failures, error, scale)
    _log.warning(
        "connectors.chore_failed",
        integration=integration.id,
        tenant=integration.tenant_id,
        organization=integration.organization_id,
        chore=chore,
        reason=type(error).__name__,
        detail=reason_of(error),
        again_in=round(pause),
    )
    return pause
