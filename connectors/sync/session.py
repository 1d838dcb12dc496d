"""Provider session: everything the sync engine needs to keep one integration's mirrors up to date."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from connectors.sdk.declaration import Declaration
from connectors.sdk.digest import DigestTime
from connectors.sdk.provider import Provider
from connectors.store.integrations import Integration
from connectors.sync.inbound_commands import Ends, SendCommands
from connectors.sync.policy import Policy
from runtime.crash_points import reach
from runtime.postgres import Connection
from schemas.values import UUID_PATTERN


class Announce(Protocol):
    """Publish to the integration events topic. Best effort: nothing may rely on it."""

    def __call__(
        self, kind: str, integration: Integration, entity_id: str | None, data: dict[str, Any]
    ) -> None: ...


def announce_nothing(
    kind: str, integration: Integration, entity_id: str | None, data: dict[str, Any]
) -> None:
    """Discard the announcement, for tools without a producer."""
    del kind, integration, entity_id, data


def marker_of(integration_id: str, interaction_id: str) -> str:
    """Marker that identifies an interaction's object at one integration."""
    return f"{integration_id}.{interaction_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One integration with its provider.

    :param hosts: hosts of the provider's web pages; URLs elsewhere are not shown.
    :param webhooks_enabled: webhooks can arrive, because the deployment has a public URL.
    :param digest: time of the daily digest; ``None`` for none.
    :param crash_point: called at named points where tests crash the process.
    :param has_capacity: tells if the provider's rate limits admit a number of requests now.
    :param time_limit: context manager that bounds the total seconds of all exchanges inside it.
    :param lease: duration of a claim on a ledger row.
    :param have_passed: tells if the records before these offsets of the commands topic are applied.
    :param resend_after: time without a result after which commands are sent again.
    :param echo_life: time after which a recorded echo expires.
    """

    integration: Integration
    declaration: Declaration
    provider: Provider
    policy: Policy
    send: SendCommands
    now: Callable[[], datetime]
    announce: Announce = announce_nothing
    webhooks_enabled: bool = False
    hosts: tuple[str, ...] = ()
    digest: DigestTime | None = None
    crash_point: Callable[[str], None] = reach
    has_capacity: Callable[[int], bool] = lambda _: True
    have_passed: Callable[[Connection, Ends], bool] = lambda *_: False
    time_limit: Callable[[float], AbstractContextManager[None]] = lambda _: nullcontext()
    lease: timedelta = field(default=timedelta(seconds=90))
    resend_after: timedelta = field(default=timedelta(seconds=10))
    echo_life: timedelta = field(default=timedelta(minutes=15))

    @property
    def can_read(self) -> bool:
        """True if the provider supports reads."""
        return "read" in self.declaration.features

    def marker(self, interaction_id: str) -> str:
        """Marker of an interaction's object, by which we recognize it at the provider."""
        return marker_of(self.integration.id, interaction_id)

    def interaction_id_of(self, marker: str) -> str | None:
        """Interaction id in a marker of this integration; ``None`` for any other marker."""
        integration_id, _, interaction_id = marker.rpartition(".")
        ours = integration_id == self.integration.id and re.fullmatch(UUID_PATTERN, interaction_id)
        return interaction_id if ours else None
