"""Integration registry: provider sessions that follow the integrations table, and their leadership."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from connectors.service.command_sender import command_sender
from connectors.service.integration_events import IntegrationEvents
from connectors.service.open_session import OpenedSession, open_session, utc_now
from connectors.store.integrations import Integration, list_integrations, set_health
from connectors.sync.circuit_breaker import CircuitBreaker
from connectors.sync.failure_policy import reason_of
from runtime.acknowledged_sender import AcknowledgedSender
from runtime.connector_settings import ConnectorSettings
from runtime.postgres import Connection
from runtime.secret_box import SecretBox, load_secret_box
from runtime.settings import Settings
from schemas.flags import EXTERNAL_SYNC
from sinks.flags import flags_of
from sinks.leader_lock import try_lead

_log = structlog.get_logger("connectors")
_LEAD: Final = "connector:"
#: Pause before unusable settings are tried again: a provider file may have been added meanwhile.
_AGAIN_SECONDS: Final = 30.0


@dataclass(slots=True)
class Entry:
    """One integration of this process.

    :ivar leads: this process holds the leadership; one of several processes does.
    :ivar switched_on: the tenant's flag ``customers.interactions.external-sync``.
    :ivar due: time at which each maintenance task is due next.
    :ivar failures: consecutive failures of each maintenance task.
    :ivar unusable: reason why newer settings or secrets in the table are not in use.
    """

    opened: OpenedSession
    breaker: CircuitBreaker
    integration: Integration
    leads: bool = False
    switched_on: bool = False
    due: dict[str, datetime] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)
    unusable: str | None = None

    @property
    def runs_here(self) -> bool:
        """True if this process syncs and maintains the integration."""
        return self.leads and self.enabled

    @property
    def enabled(self) -> bool:
        """True if the integration is active and switched on, so that webhooks are accepted."""
        return self.switched_on and self.integration.state == "active"

    def put_off(self, pause: timedelta) -> None:
        """Put every maintenance task off that would be due before the end of the pause."""
        until = utc_now() + pause
        known = {"reconcile": until, **self.due.copy()}
        self.due.update({name: max(due, until) for name, due in known.items()})

    def follow(self, integration: Integration, *, switched_on: bool) -> None:
        """Update state and flag; after re-activation all maintenance except the full listing is due."""
        before = self.enabled
        self.integration, self.switched_on = integration, switched_on
        if self.enabled and not before:
            # Hazard: a copy, because a maintenance thread may add to the times meanwhile.
            self.due = {name: due for name, due in self.due.copy().items() if name == "look"}


@dataclass(frozen=True, slots=True)
class _Failure:
    """Settings of an integration that could not be opened.

    :param again_at: time of the next attempt on the registry's clock.
    """

    content: tuple[Any, ...]
    reason: str
    again_at: float


class IntegrationRegistry:
    """Open, reopen and close provider sessions as the integrations table changes.

    :param sender: publishes the commands of the sessions, ``events`` their events.
    :param wake: called when there may be new work.
    :param clock: monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        connectors: ConnectorSettings,
        sender: AcknowledgedSender,
        events: IntegrationEvents,
        wake: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._settings = settings
        self._connectors = connectors
        self._wake = wake
        self._sender = sender
        self._events = events
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._failed: dict[str, _Failure] = {}
        self._box: SecretBox | None = None

    def refresh(self, connection: Connection) -> None:
        """Read the integrations table and follow it.

        :param connection: must stay open, because it holds the advisory locks of leadership.
        """
        found = {integration.id: integration for integration in list_integrations(connection)}
        switched = {
            tenant: flags_of(connection, tenant)[EXTERNAL_SYNC].enabled
            for tenant in {integration.tenant_id for integration in found.values()}
        }
        for integration in found.values():
            entry = self._current(integration, connection)
            if entry is None:
                continue
            entry.follow(integration, switched_on=switched[integration.tenant_id])
            if not entry.leads and entry.enabled:
                entry.leads = try_lead(connection, _LEAD + integration.id)
        with self._lock:
            gone = [self._entries.pop(identity) for identity in list(self._entries) if identity not in found]
        for entry in gone:
            entry.opened.close()

    def drop_leadership(self) -> None:
        """Give up all leadership: the connection that held the locks is gone, another process may lead."""
        for entry in self.all():
            entry.leads = False

    def all(self) -> list[Entry]:
        """All entries."""
        with self._lock:
            return list(self._entries.values())

    def get(self, integration_id: str) -> Entry | None:
        """Entry of one integration."""
        with self._lock:
            return self._entries.get(integration_id)

    def close(self) -> None:
        """Close all sessions."""
        for entry in self.all():
            entry.opened.close()

    def _current(self, integration: Integration, connection: Connection) -> Entry | None:
        """Entry of an integration, reopened if its settings have changed."""
        entry = self.get(integration.id)
        # Hazard: compare with the opened settings; the entry's row follows the table even when unusable.
        if entry is not None and _content(entry.opened.session.integration) == _content(integration):
            self._failed.pop(integration.id, None)
            if entry.unusable is not None:
                entry.unusable = None
                entry.due["health"] = utc_now()
            return entry
        failed = self._failed.get(integration.id)
        if failed is not None and failed.content == _content(integration) and self._clock() < failed.again_at:
            return entry
        try:
            opened = self._open(integration)
        except Exception as error:  # noqa: BLE001 - it must not affect the other integrations
            self._note_failure(integration, entry, connection, reason_of(error))
            return entry
        self._failed.pop(integration.id, None)
        fresh = Entry(opened=opened, breaker=CircuitBreaker(utc_now), integration=integration)
        with self._lock:
            self._entries[integration.id] = fresh
        if entry is not None:
            # A thread that still uses the old session gets an error and retries; leadership is kept.
            fresh.leads = entry.leads
            entry.opened.close()
        self._wake()
        return fresh

    def _open(self, integration: Integration) -> OpenedSession:
        return open_session(
            self._settings,
            integration,
            self._secrets(),
            command_sender(self._sender, utc_now),
            announce=self._events.announce,
            public_url=self._connectors.public_url,
            lease_seconds=self._connectors.lease_seconds,
            exchange_seconds=self._connectors.exchange_seconds,
        )

    def _note_failure(
        self, integration: Integration, entry: Entry | None, connection: Connection, reason: str
    ) -> None:
        """Report why settings are unusable, and schedule another attempt.

        An open entry continues with its old settings and still follows state and flag.
        """
        before = self._failed.get(integration.id)
        failure = _Failure(_content(integration), reason, self._clock() + _AGAIN_SECONDS)
        self._failed[integration.id] = failure
        new = before is None or (before.content, before.reason) != (failure.content, reason)
        if new:
            _log.error(
                "connectors.integration_unusable",
                integration=integration.id,
                tenant=integration.tenant_id,
                organization=integration.organization_id,
                reason=reason,
            )
        if entry is not None:
            entry.unusable = reason
        if entry.leads if entry is not None else new:
            set_health(connection, integration.id, False, reason, utc_now())

    def _secrets(self) -> SecretBox:
        if self._box is None:
            self._box = load_secret_box(self._connectors)
        return self._box


def _content(integration: Integration) -> tuple[Any, ...]:
    return (
        integration.provider,
        integration.settings,
        integration.policy,
        integration.secrets,
        integration.secrets_key_id,
    )
