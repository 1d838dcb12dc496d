"""Remove an integration: delete its rows, deregister its webhook, keep its mirrors at the provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from connectors.service.open_session import OpenedSession, open_session
from connectors.store.integrations import Integration
from connectors.store.removal import remove_integration
from connectors.sync.inbound_commands import InboundCommand
from runtime.postgres import Connection
from runtime.secret_box import SecretBox
from runtime.settings import Settings
from schemas import cache_tags
from schemas.errors import Stop

#: Time limit for one request to the provider; the removal itself does not depend on it.
_EXCHANGE_SECONDS: Final = 5.0

Webhook = Literal["none", "deregistered", "left"]


class Removal:
    """Removal of one integration.

    :param box: returns the secret box; raises ``Stop`` without a key.
    """

    def __init__(
        self,
        settings: Settings,
        integration: Integration,
        box: Callable[[], SecretBox],
        public_url: str | None,
    ) -> None:
        self._integration = integration
        # Open the session before the secrets are deleted.
        self._opened = _open(settings, integration, box, public_url)

    def remove(self, connection: Connection) -> int | None:
        """Delete the rows; return the number of mirrors left, or ``None`` if already removed."""
        return remove_integration(connection, self._integration)

    def delete_webhook(self) -> Webhook:
        """Deregister the webhook (best effort), and close the connections to the provider."""
        if self._opened is None:
            return "left"
        session = self._opened.session
        try:
            if "webhooks" not in session.declaration.features or not session.webhooks_enabled:
                return "none"
            session.provider.delete_webhook()
        except Exception:  # noqa: BLE001 - the removal does not depend on the provider
            return "left"
        else:
            return "deregistered"
        finally:
            self._opened.close()


def removed_data(integration: Integration) -> dict[str, Any]:
    """Payload of the event for a removed integration: its state, and the cache tags of its views."""
    scope = integration.tenant_id, integration.organization_id
    return {"state": "removed", "invalidates": list(cache_tags.of_mirror(integration.id, *scope))}


def _open(
    settings: Settings, integration: Integration, box: Callable[[], SecretBox], public_url: str | None
) -> OpenedSession | None:
    def send(commands: Sequence[InboundCommand]) -> None:
        raise Stop(f"a removal must not publish commands ({len(commands)} were requested)")

    try:
        return open_session(
            settings, integration, box(), send, public_url=public_url, exchange_seconds=_EXCHANGE_SECONDS
        )
    except Stop:
        return None
