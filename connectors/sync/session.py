"""A live link to one provider: everything the engine needs to bring one integration's mirrors up to date."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from connectors.sdk.declaration import Declaration
from connectors.sdk.provider import Provider
from connectors.store.integrations import Integration
from connectors.sync.inbound_commands import SendCommands
from connectors.sync.policy import Policy
from runtime.crash_points import reach
from schemas.values import UUID_PATTERN


class Announce(Protocol):
    """Tells consumers of the integration events topic; a hint, never relied upon."""

    def __call__(
        self, kind: str, integration: Integration, entity_id: str | None, data: dict[str, Any]
    ) -> None: ...


def announce_nothing(
    kind: str, integration: Integration, entity_id: str | None, data: dict[str, Any]
) -> None:
    """For tools that have no one to tell."""
    del kind, integration, entity_id, data


def marker_of(integration_id: str, interaction_id: str) -> str:
    """The marker of an interaction's object at one integration."""
    return f"{integration_id}.{interaction_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One integration with its provider.

    :param hosts: where the provider's pages are; addresses elsewhere are not shown.
    :param webhooks_enabled: webhooks can arrive, because the deployment has a public address.
    :param crash_point: visits a named crash point.
    :param has_capacity: whether the provider's limits let so many requests through now.
    :param time_limit: bounds the seconds of all exchanges of a block together.
    :param resend_after: how long commands may be without an outcome before they are sent again.
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
    crash_point: Callable[[str], None] = reach
    has_capacity: Callable[[int], bool] = lambda _: True
    time_limit: Callable[[float], AbstractContextManager[None]] = lambda _: nullcontext()
    lease: timedelta = field(default=timedelta(seconds=90))
    resend_after: timedelta = field(default=timedelta(seconds=10))
    echo_life: timedelta = field(default=timedelta(minutes=15))

    @property
    def can_read(self) -> bool:
        """Whether the provider can be read."""
        return "read" in self.declaration.features

    def marker(self, interaction_id: str) -> str:
        """The text by which an object of ours is known again at the provider."""
        return marker_of(self.integration.id, interaction_id)

    def interaction_id_of(self, marker: str) -> str | None:
        """The interaction that a marker of this integration names; ``None``: somebody else's marker."""
        integration_id, _, interaction_id = marker.rpartition(".")
        mine = integration_id == self.integration.id and re.fullmatch(UUID_PATTERN, interaction_id)
        return interaction_id if mine else None
