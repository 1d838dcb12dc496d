"""Failure policy: retry a failed sync item, block it, or stop the whole integration."""

from __future__ import annotations

import contextlib
import random
from datetime import datetime, timedelta
from typing import Final

import structlog

from connectors.sdk.http_errors import Throttled, bounded_pause
from connectors.store.integrations import lock_unchanged, set_health, set_state
from connectors.store.ledger import SyncItem, finish, give_back
from connectors.store.warnings import SyncWarning, item_warning, raise_warning
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.mirror_events import announce_mapping, announce_state
from connectors.sync.session import Session
from runtime.postgres import Connection
from schemas.errors import Conflict, InteractionsError, NeedsAuth, Reject, Retry, Skip, Stop

_log = structlog.get_logger("connectors")
#: Attempts before an item is blocked while other items succeed.
_MOST_ATTEMPTS: Final = 12
#: The same for defects in a provider's code.
_MOST_DEFECTS: Final = 3
_FIRST_SECONDS: Final = 1.0
_CEILING_SECONDS: Final = 600.0
# Hazard: without this bound the power overflows a float after 1,024 failures.
_MOST_DOUBLINGS: Final = 10
#: An item whose next attempt is further away than this gets a warning.
_LONG_WAIT: Final = timedelta(minutes=15)
_MOST_REASON: Final = 300


def pause_before(
    attempts: int, at_least: float | None, chance: random.Random, declared: tuple[float, ...] = ()
) -> timedelta:
    """Pause before the next attempt: exponential with full jitter, or as declared by the provider.

    :param attempts: failed attempts before this one.
    :param at_least: seconds that the provider asked for; bounded here.
    :param declared: pauses from the declaration, in seconds; up to a tenth of jitter is added.
    """
    asked = bounded_pause(at_least)
    if declared:
        pause = declared[min(attempts, len(declared) - 1)] * (1 + chance.random() / 10)
        return timedelta(seconds=max(asked, pause))
    bound = min(_CEILING_SECONDS, _FIRST_SECONDS * 2 ** min(attempts, _MOST_DOUBLINGS))
    return timedelta(seconds=asked + bound * chance.random())


def reason_of(error: Exception) -> str:
    """Describe an error in one line. Of a foreign exception only the type: its text may contain a secret."""
    text = f"a defect of the connector ({type(error).__name__})"
    # Hazard: a provider's own subclass may lack an attribute; handling an error must not raise.
    with contextlib.suppress(Exception):
        if isinstance(error, Reject):
            text = f"{error.code}: {error.detail}"
        elif isinstance(error, InteractionsError):
            text = str(error)
    # Hazard: Postgres cannot store NUL, and a line break would forge a log line on a console.
    return (
        "".join(each if each.isprintable() else " " for each in text)[:_MOST_REASON] or type(error).__name__
    )


class FailurePolicy:
    """Handle failures of one integration's sync items."""

    def __init__(self, session: Session, breaker: CircuitBreaker, chance: random.Random) -> None:
        self._session = session
        self._breaker = breaker
        self._chance = chance

    def handle(self, connection: Connection, owner: str, item: SyncItem, error: Exception) -> None:
        """Release the row as the error requires: finished, due again later, or blocked."""
        now = self._session.now()
        if isinstance(error, Skip):
            # Not our object, or another worker holds the lease: mark the version we saw as handled.
            finish(connection, item, owner, now=now, version=item.wanted_version, again_at=None)
            return
        if isinstance(error, Throttled):
            self._breaker.release()
            pause = timedelta(seconds=max(bounded_pause(error.after), _FIRST_SECONDS))
            give_back(connection, item, owner, again_at=now + pause)
            return
        reason = reason_of(error)
        if isinstance(error, NeedsAuth | Stop):
            close_integration(connection, self._session, error)
            # Hazard: with newer settings in the table the integration stays open; do not hammer the provider.
            soon = now + timedelta(seconds=_FIRST_SECONDS)
            give_back(connection, item, owner, again_at=soon, error=reason)
            return
        blocked = self._is_blocked(item, error)
        after = getattr(error, "after", None) if isinstance(error, Retry) else None
        pause = pause_before(item.attempts, after, self._chance, self._session.declaration.retry_seconds)
        again_at = None if blocked else now + pause
        _log.warning(
            "connectors.unit_failed",
            integration=item.integration_id,
            tenant=item.tenant_id,
            organization=item.organization_id,
            interaction=item.interaction_id,
            reason=error.code if isinstance(error, Reject) else type(error).__name__,
            detail=reason,
            attempts=item.attempts + 1,
            given_up=blocked,
        )
        with connection.transaction():
            if again_at is None:
                self._warn(connection, item, f"blocked after {item.attempts + 1} attempts: {reason}")
            elif pause >= _LONG_WAIT:
                self._warn(connection, item, _waiting(item, again_at, reason))
            give_back(
                connection,
                item,
                owner,
                again_at=again_at,
                error=reason,
                failed=True,
                blocked=blocked,
            )
        if blocked or item.attempts == 0:
            announce_mapping(self._session, item.interaction_id, item.entity_id)

    def _is_blocked(self, item: SyncItem, error: Exception) -> bool:
        """Count the failure; return true if the item is to be blocked."""
        if isinstance(error, Retry | Conflict):
            self._breaker.record_failure()
            declared = len(self._session.declaration.retry_seconds)
            exhausted = item.attempts + 1 >= (declared + 1 if declared else _MOST_ATTEMPTS)
            return exhausted and not self._breaker.open
        return isinstance(error, Reject) or item.attempts + 1 >= _MOST_DEFECTS

    def _warn(self, connection: Connection, item: SyncItem, detail: str) -> None:
        _, new = raise_warning(connection, item_warning(item, "failed", detail, entity_id=item.entity_id))
        if new:
            data = {"kind": "failed", "interactionId": item.interaction_id}
            self._session.announce("warning", self._session.integration, item.entity_id, data)


def _waiting(item: SyncItem, again_at: datetime, reason: str) -> str:
    when = f"{again_at:%Y-%m-%dT%H:%M:%SZ}"
    return f"next attempt at {when}, after {item.attempts + 1} failed; retry it to try sooner: {reason}"


def close_integration(connection: Connection, session: Session, error: Exception) -> None:
    """Stop an integration until a person acts: its credentials were refused, or the provider closed it.

    An integration whose settings or secrets were replaced meanwhile stays open: the new ones are tried.
    """
    integration = session.integration
    needs_auth = isinstance(error, NeedsAuth)
    state = "needs_auth" if needs_auth else "disabled"
    detail = reason_of(error)
    with connection.transaction():
        if not lock_unchanged(connection, integration) or not set_state(
            connection, integration.id, state, detail, only_from="active"
        ):
            return
        set_health(connection, integration.id, False, detail, session.now())
        raise_warning(
            connection,
            SyncWarning(
                integration_id=integration.id,
                tenant_id=integration.tenant_id,
                organization_id=integration.organization_id,
                kind="auth" if needs_auth else "disabled",
                detail=detail,
            ),
        )
    _log.error(
        "connectors.integration_closed",
        integration=integration.id,
        tenant=integration.tenant_id,
        organization=integration.organization_id,
        state=state,
        reason=detail,
    )
    announce_state(session, state)
