"""Removal of an integration: its rows go, its webhook is deregistered, its mirrors stay at the provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from connectors.service.open_session import OpenedSession, open_session
from connectors.store.integrations import Integration
from connectors.store.removal import remove_integration
from connectors.sync.commands import PulledCommand
from runtime.postgres import Connection
from runtime.secret_box import SecretBox
from runtime.settings import Settings
from schemas import cache_tags
from schemas.errors import Stop

#: Longest time for one request to the provider; the removal itself does not wait for it.
_EXCHANGE_SECONDS: Final = 5.0

Webhook = Literal["none", "deregistered", "left"]


class Removal:
    """Remove one integration.

    :param box: makes the box of the secrets; raises ``Stop`` without a key.
    """

    def __init__(
        self,
        settings: Settings,
        integration: Integration,
        box: Callable[[], SecretBox],
        public_url: str | None,
    ) -> None:
        self._integration = integration
        # OpenedSession before the secrets are gone.
        self._opened = _open(settings, integration, box, public_url)

    def remove(self, connection: Connection) -> int | None:
        """Delete the rows; the number of mirrors that stay, ``None`` if it was removed meanwhile."""
        return remove_integration(connection, self._integration)

    def delete_webhook(self) -> Webhook:
        """Deregister the webhook, best effort, and close the connections to the provider."""
        if self._opened is None:
            return "left"
        session = self._opened.session
        try:
            if "webhooks" not in session.declaration.features or not session.hears:
                return "none"
            session.provider.delete_webhook()
        except Exception:  # noqa: BLE001 - the removal holds whatever the provider answers
            return "left"
        else:
            return "deregistered"
        finally:
            self._opened.close()


def removed_data(integration: Integration) -> dict[str, Any]:
    """Data of the event that an integration is gone: its state and the cache tags of its views."""
    scope = integration.tenant_id, integration.organization_id
    return {"state": "removed", "invalidates": list(cache_tags.of_mirror(integration.id, *scope))}


def _open(
    settings: Settings, integration: Integration, box: Callable[[], SecretBox], public_url: str | None
) -> OpenedSession | None:
    def send(commands: Sequence[PulledCommand]) -> None:
        raise Stop(f"a removal publishes no commands ({len(commands)} were to be sent)")

    try:
        return open_session(
            settings, integration, box(), send, public_url=public_url, exchange_seconds=_EXCHANGE_SECONDS
        )
    except Stop:
        return None
