"""What the routes work with: made once a process, kept on the app."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Request

from runtime.gateway_settings import GatewaySettings
from runtime.settings import Settings

if TYPE_CHECKING:
    from api.command_gateway import CommandGateway
    from api.integration_decisions import DecisionGateway
    from api.integration_event_consumer import IntegrationEventConsumer
    from api.mutation_guards import MutationGuards
    from api.rate_limit import RateLimiter
    from api.read_pool import ReadPool
    from api.result_consumer import ResultConsumer
    from api.sse_broadcaster import SseBroadcaster
    from api.tokens import Tokens


@dataclass(slots=True, kw_only=True)
class Services:
    """The parts of one gateway process.

    :param reads: read-only database connections.
    :param commands: the only way to change an interaction (law 2).
    :param decisions: the way to change what the connectors hold.
    :param hub: fan-out of what changed to event streams.
    :param kept: whatever a routes module keeps between requests, under its own name.
    """

    settings: Settings
    gateway: GatewaySettings
    tokens: Tokens
    rates: RateLimiter
    reads: ReadPool
    commands: CommandGateway
    decisions: DecisionGateway
    listener: ResultConsumer
    mappings: IntegrationEventConsumer
    hub: SseBroadcaster
    mutation_guards: MutationGuards
    kept: dict[str, Any] = field(default_factory=dict)


def services_of(request: Request) -> Services:
    """The services of the app that serves this request."""
    services: Services = request.app.state.services
    return services


async def _needed(request: Request) -> Services:
    # Hazard: a dependency that is no coroutine goes through a thread, and every request waits for that.
    return services_of(request)


#: A route's parameter: ``services: Needed``.
Needed = Annotated[Services, Depends(_needed)]
