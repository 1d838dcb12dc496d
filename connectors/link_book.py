"""All links of one process, kept as the table of integrations says, and which of them this process leads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import structlog

from connectors.breaker import Breaker
from connectors.integration_events import Announcer
from connectors.links import Opened, open_link, sending, utc_now
from runtime.acknowledged_sender import AcknowledgedSender
from runtime.connector_settings import ConnectorSettings
from runtime.postgres import Connection
from runtime.secret_box import SecretBox, read_box
from runtime.settings import Settings
from schemas.errors import Stop
from schemas.flags import EXTERNAL_SYNC
from sinks.reads.flags import flags_of
from sinks.sync_integrations import Integration, list_integrations, set_health
from sinks.windows import try_lead

_log = structlog.get_logger("connectors")
_LEAD: Final = "connector:"


@dataclass(slots=True)
class Held:
    """One link of this process.

    :ivar leads: this process works for it; of several processes one does.
    :ivar switched_on: the tenant's flag ``customers.interactions.external-sync``.
    :ivar due: when each chore is due next.
    :ivar failures: failures in a row of each chore.
    """

    opened: Opened
    breaker: Breaker
    integration: Integration
    leads: bool = False
    switched_on: bool = False
    due: dict[str, datetime] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def works(self) -> bool:
        """Whether this process should work on its ledger."""
        return self.leads and self.takes_in

    @property
    def takes_in(self) -> bool:
        """Whether changes of the provider are taken in."""
        return self.switched_on and self.integration.state == "active"


class LinkBook:
    """Opens, renews and closes links.

    :param wake: called when there may be new work.
    """

    def __init__(
        self, settings: Settings, connectors: ConnectorSettings, wake: Callable[[], None] = lambda: None
    ) -> None:
        self._settings = settings
        self._connectors = connectors
        self._wake = wake
        self._sender = AcknowledgedSender(settings)
        self.announcer = Announcer(self._sender)
        self.sender = self._sender
        self._lock = threading.Lock()
        self._held: dict[str, Held] = {}
        self._failed: dict[str, Any] = {}
        self._box: SecretBox | None = None

    def refresh(self, connection: Connection) -> None:
        """Read the table again and follow it.

        :param connection: stays open: the locks of leadership live on it.
        """
        found = {integration.id: integration for integration in list_integrations(connection)}
        switched = {
            tenant: flags_of(connection, tenant)[EXTERNAL_SYNC].enabled
            for tenant in {integration.tenant_id for integration in found.values()}
        }
        for integration in found.values():
            held = self._current(integration, connection)
            if held is None:
                continue
            held.integration = integration
            held.switched_on = switched[integration.tenant_id]
            if not held.leads and held.takes_in:
                held.leads = try_lead(connection, _LEAD + integration.id)
        with self._lock:
            gone = [self._held.pop(identity) for identity in list(self._held) if identity not in found]
        for held in gone:
            held.opened.close()

    def forget_leads(self) -> None:
        """The connection with the locks is lost: somebody else may lead now."""
        for held in self.all():
            held.leads = False

    def all(self) -> list[Held]:
        """Every link."""
        with self._lock:
            return list(self._held.values())

    def get(self, integration_id: str) -> Held | None:
        """One link."""
        with self._lock:
            return self._held.get(integration_id)

    def close(self) -> None:
        """Close every link."""
        for held in self.all():
            held.opened.close()

    def _current(self, integration: Integration, connection: Connection) -> Held | None:
        held = self.get(integration.id)
        if held is not None and _same(held.integration, integration):
            return held
        if self._failed.get(integration.id) == _content(integration):
            return held
        try:
            opened = open_link(
                self._settings,
                integration,
                self._secrets(),
                sending(self._sender),
                announce=self.announcer,
                public_url=self._connectors.public_url,
                lease_seconds=self._connectors.lease_seconds,
                exchange_seconds=self._connectors.exchange_seconds,
            )
        except Stop as error:
            # One that cannot be opened must not keep the others from working.
            self._failed[integration.id] = _content(integration)
            _log.error(
                "connectors.integration_unusable",
                integration=integration.id,
                tenant=integration.tenant_id,
                organization=integration.organization_id,
                reason=str(error),
            )
            # A link that is open goes on: secrets sealed under a key that this process does not have yet
            # must not keep it from following the state and the flag.
            if held is None:
                set_health(connection, integration.id, False, str(error), utc_now())
            return held
        fresh = Held(opened=opened, breaker=Breaker(utc_now), integration=integration)
        with self._lock:
            self._held[integration.id] = fresh
        if held is not None:
            # Whoever still works with the old one gets an error and tries again; the lead stays ours.
            fresh.leads = held.leads
            held.opened.close()
        self._wake()
        return fresh

    def _secrets(self) -> SecretBox:
        if self._box is None:
            key = self._connectors.secrets_key
            self._box = read_box(key.get_secret_value() if key is not None else None)
        return self._box


def _content(integration: Integration) -> tuple[Any, ...]:
    return (
        integration.provider,
        integration.settings,
        integration.policy,
        integration.secrets,
        integration.secrets_key_id,
    )


def _same(one: Integration, other: Integration) -> bool:
    return _content(one) == _content(other)
