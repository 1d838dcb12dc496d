"""Provider interface: one class per service, in a module or package under ``connectors/providers``.

The engine decides *what* a provider should store; a provider only executes and reports. Methods may block,
are called from several threads, and exchange the types of ``connectors.sdk.remote``. They raise, from
``schemas.errors``:

==============  ================================================================================
``Retry``       may work later (outage, rate limit, unknown outcome); ``after`` in seconds
``Reject``      the provider will never accept this value: the engine blocks the item, with a warning
``Skip``        not our object (recurring, foreign): the engine leaves it alone
``Conflict``    the object has changed since ``base`` (a conditional write failed): read and merge
``NeedsAuth``   credentials are refused: the integration is paused until a user acts
``Stop``        the provider has closed the integration permanently (410): it is disabled
==============  ================================================================================

Any other exception counts as a bug in the provider: only that item is blocked.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import httpx2

from connectors.sdk.digest import Digest
from connectors.sdk.remote import ChangePage, Gone, Health, Intent, RemoteChange, RemoteObject

#: Fields of an interaction that can be mirrored, with the Python type of their values.
FIELDS: Final[dict[str, type]] = {
    "title": str,
    "body": str,
    "status": str,  # planned, done or canceled; never None
    "scheduled_at": datetime,
    "occurred_at": datetime,
    "priority": int,
    "interaction_type": str,
}


class SaveSecrets(Protocol):
    """Store secrets that the provider has renewed (an OAuth refresh), encrypted, for the next start."""

    def __call__(self, **secrets: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderContext:
    """Dependencies that the engine passes to a provider.

    :param http: a client with timeouts, this integration's rate limits and, if declared, a guard against
        private addresses. It does not follow redirects. The provider must not close it.
    :param now: the current time (aware, UTC); do not use the system clock.
    :param callback_url: URL for this integration's webhooks, exactly as registered; ``None`` when the
        deployment has no public address (the engine then polls).
    """

    integration_id: str
    http: httpx2.Client
    now: Callable[[], datetime]
    callback_url: str | None
    save_secrets: SaveSecrets


class Provider(ABC):
    """The provider of one integration, created by ``Declaration.make(settings, context)``.

    The engine never calls a method whose feature is not declared.
    """

    @abstractmethod
    def create(self, intent: Intent) -> RemoteObject:
        """Create the object, with ``intent.marker`` stored so that ``find_by_marker`` finds it.

        :raises Retry: also when it is unknown whether the object was created.
        """

    @abstractmethod
    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        """Set exactly the fields in ``changes`` (``None`` clears one) and return the new state.

        :param base: the object as last seen; ``base.version`` is for conditional writes.
        """

    @abstractmethod
    def archive(self, external_id: str) -> RemoteObject | Gone:
        """Hide the object reversibly, because its interaction was deleted. Idempotent."""

    def erase(self, external_id: str) -> None:
        """Delete the object for good, because its customer was erased. Idempotent.

        By default it is archived. Override it where an archived object still exists at the provider.
        """
        self.archive(external_id)

    @abstractmethod
    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        """Restore an archived object under the same id, with these values. Idempotent."""

    @abstractmethod
    def health(self) -> Health:
        """Check cheaply that the provider answers with our credentials. May raise."""

    def read(self, external_id: str) -> RemoteObject | Gone:
        """Read the object as it is now (feature ``read``)."""
        raise NotImplementedError("read")

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        """Find the object with this marker; the oldest, if it was copied (feature ``find``).

        Must be read-your-writes: an object whose creation was acknowledged is found.
        """
        raise NotImplementedError("find_by_marker")

    def changes(self, cursor: str | None) -> ChangePage:
        """Return the changes since the cursor; everything for ``None`` (feature ``poll``).

        Pages may repeat changes, but must not omit any.
        """
        raise NotImplementedError("changes")

    def verify_and_parse_webhook(
        self, headers: Mapping[str, str], raw_body: bytes, url: str
    ) -> list[RemoteChange]:
        """Check the signature in constant time, then parse the delivery (feature ``webhooks``).

        :param headers: names in lower case.
        :param url: the callback URL as registered.
        :raises Reject: ``bad_signature`` (status 401), ``bad_webhook`` (status 400).
        """
        raise NotImplementedError("verify_and_parse_webhook")

    def send_digest(self, digest: Digest) -> None:
        """Deliver the digest of one date; called until it succeeds, or the date has passed.

        A receiver must be able to recognize a repeated digest of the same date.
        """
        raise NotImplementedError("send_digest")

    def ensure_webhook(self) -> None:
        """Register the webhook at ``context.callback_url``, or check that it is still registered and active.

        Called when the integration starts and every few minutes (feature ``webhooks``). Idempotent.
        """
        raise NotImplementedError("ensure_webhook")

    def delete_webhook(self) -> None:  # noqa: B027 - most providers have nothing to deregister
        """Deregister the webhook at ``context.callback_url``: the integration was removed. Idempotent."""
