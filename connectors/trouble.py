"""What becomes of a unit that failed: tried again, given up alone, or the whole integration paused."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final

import structlog

from connectors.breaker import Breaker
from connectors.http import Throttled
from connectors.link import Link
from connectors.mirror_events import announce_mapping, announce_state
from runtime.postgres import Connection
from schemas.errors import Conflict, NeedsAuth, Reject, Retry, Skip, Stop
from sinks.sync_integrations import set_state
from sinks.sync_ledger import Unit, finish, give_back
from sinks.sync_warnings import SyncWarning, about, raise_warning

_log = structlog.get_logger("connectors")
#: Failures after which an item is given up while others get through.
_PATIENCE: Final = 12
#: The same for defects of a provider's code.
_DEFECTS: Final = 3
_FIRST_SECONDS: Final = 1.0
_CEILING_SECONDS: Final = 600.0


def pause_before(
    attempts: int, at_least: float | None, chance: random.Random, declared: tuple[float, ...] = ()
) -> timedelta:
    """How long to wait before the next attempt: exponential with full jitter, or as declared.

    :param attempts: how many failed before this one.
    :param declared: pauses that the provider declares; up to a tenth is added, so that not all come at once.
    """
    if declared:
        pause = declared[min(attempts, len(declared) - 1)] * (1 + chance.random() / 10)
        return timedelta(seconds=max(at_least or 0.0, pause))
    bound = min(_CEILING_SECONDS, _FIRST_SECONDS * 2**attempts)
    return timedelta(seconds=(at_least or 0.0) + bound * chance.random())


class Trouble:
    """Decides on failures of one integration's units."""

    def __init__(self, link: Link, breaker: Breaker, chance: random.Random) -> None:
        self._link = link
        self._breaker = breaker
        self._chance = chance

    def take(self, connection: Connection, owner: str, unit: Unit, error: Exception) -> None:
        """Give the row back in the way that the error asks for."""
        now = self._link.now()
        reason = type(error).__name__
        if isinstance(error, Skip):
            # None of ours, or somebody else works on it: what we saw is done.
            finish(connection, unit, owner, now=now, version=unit.wanted_version, again_at=None)
            return
        if isinstance(error, Throttled):
            self._breaker.unused()
            give_back(connection, unit, owner, again_at=now + timedelta(seconds=error.after or 0.0))
            return
        if isinstance(error, NeedsAuth | Stop):
            close_integration(connection, self._link, error)
            give_back(connection, unit, owner, again_at=now, error=reason)
            return
        if isinstance(error, Retry | Conflict):
            self._breaker.failed()
            declared = len(self._link.declaration.retry_seconds)
            given_up = unit.attempts + 1 >= (declared + 1 if declared else _PATIENCE)
            given_up = given_up and not self._breaker.open
        elif isinstance(error, Reject):
            reason, given_up = error.code, True
        else:
            given_up = unit.attempts + 1 >= _DEFECTS
        _log.warning(
            "connectors.unit_failed",
            integration=unit.integration_id,
            tenant=unit.tenant_id,
            organization=unit.organization_id,
            interaction=unit.interaction_id,
            reason=reason,
            attempts=unit.attempts + 1,
            given_up=given_up,
        )
        after = error.after if isinstance(error, Retry) else None
        pause = pause_before(unit.attempts, after, self._chance, self._link.declaration.retry_seconds)
        with connection.transaction():
            if given_up:
                self._warn(connection, unit, "failed", f"given up after {unit.attempts + 1} tries: {reason}")
            give_back(
                connection,
                unit,
                owner,
                again_at=None if given_up else now + pause,
                error=reason,
                failed=True,
                parked=given_up,
            )
        if given_up:
            announce_mapping(self._link, unit.interaction_id, unit.entity_id)

    def _warn(self, connection: Connection, unit: Unit, kind: str, detail: str) -> None:
        _, new = raise_warning(connection, about(unit, kind, detail, entity_id=unit.entity_id))
        if new:
            data = {"kind": kind, "interactionId": unit.interaction_id}
            self._link.announce("warning", self._link.integration, unit.entity_id, data)


def close_integration(connection: Connection, link: Link, error: Exception) -> None:
    """Stop working for an integration until a person acts: credentials refused, or closed for good."""
    integration = link.integration
    needs_auth = isinstance(error, NeedsAuth)
    state = "needs_auth" if needs_auth else "disabled"
    detail = (
        "the provider refuses the credentials; renew them, then resume"
        if needs_auth
        else "the provider closed this integration for good"
    )
    with connection.transaction():
        if not set_state(connection, integration.id, state, detail, only_from="active"):
            return
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
    )
    announce_state(link, state)
