"""Liveness and readiness of the connectors role, and the stalls of its integrations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

import structlog

from connectors.service.fair_share import FairShare
from connectors.service.maintenance import TASK_SECONDS
from connectors.service.open_session import utc_now
from connectors.store.stalls import sync_stalls
from runtime.connector_settings import ConnectorSettings
from runtime.postgres import Connection
from runtime.settings import Settings
from runtime.stalls import Stall

_log = structlog.get_logger("connectors")
_LOOK_SECONDS: Final = 5.0
#: After that without a look the database counts as unavailable.
_STALE_SECONDS: Final = 15.0
#: Added to the time that the exchanges of a turn may take: for rate limits and the database.
_MARGIN_SECONDS: Final = 120.0


class RoleHealth:
    """Kept by the keeper's thread, read by the others.

    :param shares: the threads' turns; one that goes on beyond all deadlines is stuck.
    :param clock: seconds, monotonic.
    :ivar ready: the role has started and is not stopping.
    """

    def __init__(
        self,
        settings: Settings,
        connectors: ConnectorSettings,
        shares: Sequence[FairShare],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Hazard: below the deadlines of a turn, a slow provider would end the process for all.
        self._patience = max(
            settings.stuck_after_seconds,
            TASK_SECONDS + _MARGIN_SECONDS,
            connectors.lease_seconds + _MARGIN_SECONDS,
        )
        self._shares = shares
        self._clock = clock
        self._looked_at: float | None = None
        self._stalls: list[Stall] = []
        self.ready = False

    def look(self, connection: Connection) -> None:
        """Read the stalls again when it is time, and log new ones."""
        now = self._clock()
        if self._looked_at is not None and now - self._looked_at < _LOOK_SECONDS:
            return
        found = sync_stalls(connection, utc_now())
        known = {(stall.stage, stall.place) for stall in self._stalls}
        for stall in found:
            if (stall.stage, stall.place) not in known:
                _log.error(
                    "connectors.stalled",
                    stage=stall.stage,
                    place=stall.place,
                    seconds=round(stall.seconds),
                    reason=stall.reason,
                )
        if self._looked_at is not None and now - self._looked_at > _STALE_SECONDS:
            # The database was unavailable meanwhile: threads waited for it, not for a provider.
            for share in self._shares:
                share.reset_clocks()
        self._stalls = found
        self._looked_at = self._clock()

    def stuck(self) -> str | None:
        """Why the process must be restarted: a thread is beyond every deadline."""
        if self._database_away():
            return None
        for share in self._shares:
            longest = share.longest_running()
            if longest is not None and longest[1] > self._patience:
                integration, seconds = longest
                return (
                    f"a thread has worked for integration {integration} for {seconds:.0f} s, longer than"
                    " every deadline allows. Ending, so that a fresh process goes on"
                )
        return None

    def healthz(self) -> tuple[int, dict[str, Any]]:
        """503 when only a restart helps."""
        return (200, {"ok": True}) if self.stuck() is None else (503, {"ok": False})

    def readyz(self, *, in_full: bool) -> tuple[int, dict[str, Any]]:
        """503 while deliveries cannot be taken in; the stall of one integration leaves the role ready.

        :param in_full: name integrations and reasons, for callers inside; otherwise count them.
        """
        reasons = []
        if not self.ready:
            reasons.append("the role is starting or stopping")
        if self._database_away():
            reasons.append("the database does not answer")
        stuck = self.stuck()
        if stuck is not None:
            reasons.append(stuck if in_full else "a thread is stuck")
        stalls: Any = [asdict(stall) for stall in self._stalls] if in_full else len(self._stalls)
        return (503 if reasons else 200), {"ok": not reasons, "reasons": reasons, "stalls": stalls}

    def _database_away(self) -> bool:
        return self._looked_at is None or self._clock() - self._looked_at > _STALE_SECONDS
