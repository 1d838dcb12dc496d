"""Liveness and readiness of the connectors role, and stalls of its integrations."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

import structlog

from connectors.service.maintenance import TASK_SECONDS
from connectors.service.open_session import utc_now
from connectors.store.stalls import sync_stalls
from runtime.connector_settings import ConnectorSettings
from runtime.health import Stall
from runtime.postgres import Connection
from runtime.settings import Settings

_log = structlog.get_logger("connectors")
_REFRESH_SECONDS: Final = 5.0
#: Without a refresh for this long the database counts as unavailable.
_STALE_SECONDS: Final = 15.0
#: Allowance for rate limits and the database, on top of the time limit for a turn's exchanges.
_MARGIN_SECONDS: Final = 120.0


class Turns(Protocol):
    """Running calls of providers, by integration."""

    def longest_running(self) -> tuple[str, float] | None:
        """Integration and duration in seconds of the longest-running one."""
        ...

    def reset_clocks(self) -> None:
        """Restart the clocks of all of them."""
        ...


class RoleHealth:
    """Health of the role: refreshed by the keeper thread, read by the others.

    :param shares: running turns; a turn beyond every deadline counts as stuck.
    :param clock: monotonic seconds.
    :ivar ready: the role has started and is not stopping.
    """

    def __init__(
        self,
        settings: Settings,
        connectors: ConnectorSettings,
        shares: Sequence[Turns],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        # Hazard: if this were below the deadlines of a turn, one slow provider would end the process.
        self._stuck_after = max(
            settings.stuck_after_seconds,
            TASK_SECONDS + _MARGIN_SECONDS,
            connectors.lease_seconds + _MARGIN_SECONDS,
        )
        self._shares = shares
        self._clock = clock
        self._refreshed_at: float | None = None
        self._stalls: list[Stall] = []
        self.ready = False

    def refresh(self, connection: Connection) -> None:
        """Read the stalls again if they are out of date, and log new ones."""
        now = self._clock()
        if self._refreshed_at is not None and now - self._refreshed_at < _REFRESH_SECONDS:
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
        if self._refreshed_at is not None and now - self._refreshed_at > _STALE_SECONDS:
            # The database was unavailable, so the threads waited for it and not for a provider.
            for share in self._shares:
                share.reset_clocks()
        self._stalls = found
        self._refreshed_at = self._clock()

    def stuck(self) -> str | None:
        """Reason to restart the process: a thread is beyond every deadline. ``None`` if there is none."""
        if self._database_away():
            return None
        for share in self._shares:
            longest = share.longest_running()
            if longest is not None and longest[1] > self._stuck_after:
                integration, seconds = longest
                return (
                    f"a thread has been busy with integration {integration} for {seconds:.0f} s, beyond every"
                    " deadline. The process exits so that its supervisor restarts it; no data is lost"
                )
        return None

    def healthz(self) -> tuple[int, dict[str, Any]]:
        """Liveness: 503 if only a restart helps."""
        return (200, {"ok": True}) if self.stuck() is None else (503, {"ok": False})

    def readyz(self, *, in_full: bool) -> tuple[int, dict[str, Any]]:
        """Readiness: 503 while webhooks cannot be received. A stalled integration does not affect it.

        :param in_full: name integrations and reasons (for internal callers) instead of counting them.
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
        return self._refreshed_at is None or self._clock() - self._refreshed_at > _STALE_SECONDS
