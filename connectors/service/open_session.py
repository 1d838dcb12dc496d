"""Open provider sessions from an integration's row, its secrets and its provider."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx2
from pydantic import ValidationError

from connectors.sdk.bounded_transport import REQUEST_SECONDS, Deadline
from connectors.sdk.provider import ProviderContext
from connectors.service.catalogue import declaration
from connectors.service.guarded_provider import GuardedProvider, contained
from connectors.service.http_client import LONGEST_WAIT, make_client
from connectors.service.rate_limit import SlidingWindowLimiter
from connectors.store.integrations import Integration, lock_integration, read_integration, set_secrets
from connectors.sync.failure_policy import reason_of
from connectors.sync.inbound_commands import SendCommands
from connectors.sync.policy import Policy
from connectors.sync.session import Announce, Session, announce_nothing
from runtime.postgres import connect
from runtime.secret_box import Sealed, SecretBox
from runtime.settings import Settings
from schemas.errors import Stop
from schemas.topics import COMMANDS
from sinks.consumed_offsets import have_passed


def utc_now() -> datetime:
    """Current time in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class OpenedSession:
    """Provider session, and the HTTP client that is closed with it."""

    session: Session
    client: httpx2.Client

    def close(self) -> None:
        """Close the connections to the provider."""
        self.client.close()


def open_session(
    settings: Settings,
    integration: Integration,
    box: SecretBox,
    send: SendCommands,
    *,
    announce: Announce = announce_nothing,
    public_url: str | None = None,
    transport: httpx2.BaseTransport | None = None,
    lease_seconds: float = 90.0,
    exchange_seconds: float = REQUEST_SECONDS,
) -> OpenedSession:
    """Open a session with an integration's provider.

    :param exchange_seconds: time limit for one request and its response.
    :param public_url: base URL at which providers reach this deployment.
    :raises Stop: the provider is not installed, its settings are invalid, or its secrets cannot be decrypted.
    """
    declared = declaration(integration.provider)
    opened = box.open(integration.id, Sealed(integration.secrets_key_id, integration.secrets))
    try:
        chosen = declared.settings.model_validate({**integration.settings, **opened})
        policy = Policy.model_validate(integration.policy)
    except ValidationError as error:
        named = ", ".join(
            ".".join(map(str, problem["loc"])) or "(settings)"
            for problem in error.errors(include_input=False, include_url=False)
        )
        raise Stop(f"the settings of {integration.id} are invalid for {declared.title}: {named}") from None
    limiter = SlidingWindowLimiter(declared.limits)
    deadline = Deadline(exchange_seconds)
    client = make_client(
        limiter,
        public_addresses_only=declared.public_addresses_only,
        # Hazard: waiting for the rate limit must not outlast a row's lease, or two workers would sync it.
        longest_wait=min(LONGEST_WAIT, lease_seconds / 4),
        transport=transport,
        deadline=deadline,
    )
    callback = callback_url(public_url, integration.id) if "webhooks" in declared.features else None

    def save_secrets(**secrets: str) -> None:
        with (
            connect(settings, application_name="interactions-connectors", autocommit=True) as connection,
            connection.transaction(),
        ):
            # Hazard: without the lock, secrets that are replaced at this moment would be lost.
            lock_integration(connection, integration.id)
            current = read_integration(connection, integration.id) or integration
            known = box.open(current.id, Sealed(current.secrets_key_id, current.secrets))
            sealed = box.seal(current.id, {**known, **secrets})
            set_secrets(connection, current.id, sealed.content, sealed.key_id)

    context = ProviderContext(
        integration_id=integration.id,
        http=client,
        now=utc_now,
        callback_url=callback,
        save_secrets=save_secrets,
    )
    try:
        with contained():
            provider = declared.make(chosen, context)
            hosts, digest = declared.hosts(chosen), declared.digest(chosen)
    except Exception as error:
        client.close()
        raise Stop(f"{declared.title} cannot be opened for {integration.id}: {reason_of(error)}") from error
    session = Session(
        integration=integration,
        declaration=declared,
        provider=GuardedProvider(provider, integration.id),
        policy=policy,
        send=send,
        now=utc_now,
        announce=announce,
        webhooks_enabled=callback is not None,
        hosts=hosts,
        digest=digest,
        lease=timedelta(seconds=lease_seconds),
        has_capacity=limiter.has_capacity,
        have_passed=partial(have_passed, group=settings.consumer_group, topic=settings.topic(COMMANDS)),
        time_limit=deadline.turn,
    )
    return OpenedSession(session, client)


def callback_url(public_url: str | None, integration_id: str) -> str | None:
    """URL of an integration's webhooks; ``None`` if the deployment has no public URL."""
    return f"{public_url.rstrip('/')}/webhooks/{integration_id}" if public_url else None
