"""Opens links: an integration's row, its secrets and its provider put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx2
from pydantic import ValidationError

from connectors.producer import AcknowledgedSender, OutRecord
from connectors.sdk.bounded_transport import REQUEST_SECONDS, Deadline
from connectors.sdk.provider import ProviderContext
from connectors.service.catalogue import declaration
from connectors.service.command_records import record_of
from connectors.service.http_client import LONGEST_WAIT, make_client
from connectors.service.rate_limit import SlidingWindowLimiter
from connectors.store.integrations import Integration, read_integration, set_secrets
from connectors.sync.commands import PulledCommand, SendCommands
from connectors.sync.policy import Policy
from connectors.sync.session import Announce, Session, announce_nothing
from runtime.postgres import connect
from runtime.secret_box import Sealed, SecretBox
from runtime.settings import Settings
from schemas.errors import Stop
from schemas.topics import COMMANDS


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


def sending(sender: AcknowledgedSender, now: Callable[[], datetime] = utc_now) -> SendCommands:
    """Publish pulled commands through a sender."""

    def send(commands: Sequence[PulledCommand]) -> None:
        sender.send([OutRecord(COMMANDS, *record_of(command, now())) for command in commands])

    return send


@dataclass(slots=True)
class OpenedSession:
    """A link and the client that must be closed with it."""

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
    """Make the provider of an integration.

    :param exchange_seconds: longest time for one request and its answer.
    :param public_url: how providers reach this deployment.
    :raises Stop: the provider is not installed, its settings do not fit it, or its secrets do not open.
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
        raise Stop(f"the settings of {integration.id} do not fit {declared.title}: {named}") from None
    buckets = SlidingWindowLimiter(declared.limits)
    deadline = Deadline(exchange_seconds)
    client = make_client(
        buckets,
        public_addresses_only=declared.public_addresses_only,
        # A row must not wait for its turn until its lease has run out: two workers would do it then.
        longest_wait=min(LONGEST_WAIT, lease_seconds / 4),
        transport=transport,
        deadline=deadline,
    )
    callback = callback_url(public_url, integration.id) if "webhooks" in declared.features else None

    def save_secrets(**secrets: str) -> None:
        with connect(settings, application_name="interactions-connectors", autocommit=True) as connection:
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
    session = Session(
        integration=integration,
        declaration=declared,
        provider=declared.make(chosen, context),
        policy=policy,
        send=send,
        now=utc_now,
        announce=announce,
        hears=callback is not None,
        hosts=declared.hosts(chosen),
        lease=timedelta(seconds=lease_seconds),
        has_room=buckets.has_room,
        turn=deadline.turn,
    )
    return OpenedSession(session, client)


def callback_url(public_url: str | None, integration_id: str) -> str | None:
    """Where an integration's webhooks arrive, if the deployment can be reached."""
    return f"{public_url.rstrip('/')}/webhooks/{integration_id}" if public_url else None
