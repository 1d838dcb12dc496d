"""What a provider implements: one class in one file under ``connectors/providers``.

The engine decides *what* a provider should hold; a provider only carries it out and tells what it sees.
Every method may block, is called from one of several threads, and answers in the words of
``connectors.sdk.remote``. It raises, from ``schemas.errors``:

==============  ================================================================================
``Retry``       it may work later (outage, rate limit, unknown outcome); ``after`` in seconds
``Reject``      the provider will never take this value: the engine parks the item with a warning
``Skip``        this object is none of ours (recurring, foreign): leave it alone
``Conflict``    the object has changed since ``base`` (a conditional write failed): read and merge
``NeedsAuth``   credentials are refused: the integration is paused until a person acts
``Stop``        the integration is closed for good at the provider (410): it is switched off
==============  ================================================================================

Anything else that escapes counts as a defect of the provider: the item is parked, the rest goes on.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

import httpx2

from connectors.sdk.remote import ChangePage, Gone, Health, Intent, RemoteChange, RemoteObject

#: The names of the fields of an interaction that can be mirrored, with the Python type of their values.
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
    """Keeps secrets that the provider has renewed (an OAuth refresh), encrypted, for the next start."""

    def __call__(self, **secrets: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderContext:
    """What the engine hands to a provider.

    :param http: a client with timeouts, this integration's rate limits and, where declared, a guard
        against private addresses. Redirects are not followed. It must not be closed by the provider.
    :param now: the present moment, aware, in UTC; never ask the machine.
    :param callback_url: where this integration's webhooks arrive, exactly as registered; ``None`` when
        the deployment has no public address (then the engine polls).
    """

    integration_id: str
    http: httpx2.Client
    now: Callable[[], datetime]
    callback_url: str | None
    save_secrets: SaveSecrets


class Provider(ABC):
    """One integration's provider, made by ``Declaration.make(settings, context)``.

    A method whose feature is not declared is never called.
    """

    @abstractmethod
    def create(self, intent: Intent) -> RemoteObject:
        """Make the object, with ``intent.marker`` in it so that ``find_by_marker`` finds it.

        :raises Retry: also when it is not known whether the object was made.
        """

    @abstractmethod
    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        """Set the fields in ``changes`` (``None`` empties one), and no other; the state after it.

        :param base: the object as last seen; ``base.version`` is for a conditional write.
        """

    @abstractmethod
    def archive(self, external_id: str) -> RemoteObject | Gone:
        """Take the object out of sight, reversibly: the interaction was deleted. Idempotent."""

    @abstractmethod
    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        """Bring an archived object back under the same id, with these values. Idempotent."""

    @abstractmethod
    def health(self) -> Health:
        """Ask the provider for a sign of life with our credentials; cheap. May raise."""

    def read(self, external_id: str) -> RemoteObject | Gone:
        """The object as it is now (feature ``read``)."""
        raise NotImplementedError("read")

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        """The object that carries the marker, the oldest if it was copied (feature ``find``).

        It must see an object whose creation was answered before.
        """
        raise NotImplementedError("find_by_marker")

    def changes(self, cursor: str | None) -> ChangePage:
        """What has changed since the cursor; everything when it is ``None`` (feature ``poll``).

        Pages may repeat changes, and never leave one out.
        """
        raise NotImplementedError("changes")

    def verify_and_parse_webhook(
        self, headers: Mapping[str, str], raw_body: bytes, url: str
    ) -> list[RemoteChange]:
        """Check the signature in constant time, then read the delivery (feature ``webhooks``).

        :param headers: names in lower case.
        :param url: the callback URL as registered.
        :raises Reject: ``bad_signature`` (status 401), ``bad_webhook`` (status 400).
        """
        raise NotImplementedError("verify_and_parse_webhook")

    def ensure_webhook(self) -> None:
        """Register the webhook at ``context.callback_url``, or see that it is still there and active.

        Called at the start of the integration and every few minutes (feature ``webhooks``).
        """
        raise NotImplementedError("ensure_webhook")

    def delete_webhook(self) -> None:  # noqa: B027 - most providers have nothing to deregister
        """Deregister the webhook at ``context.callback_url``: the integration was removed. Idempotent."""
