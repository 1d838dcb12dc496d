"""Services shared by the routes: created once per process, kept on the app."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request

from api.command_gateway import CommandGateway
from api.dead_letters.decisions import DeadLetterDecisions
from api.dead_letters.reader import DeadLetterReader
from api.integration_decisions import DecisionGateway
from api.integration_event_consumer import IntegrationEventConsumer
from api.mutation_guards import MutationGuards
from api.operations.sampler import OperationsSampler
from api.rate_limit import RateLimiter
from api.read_pool import ReadPool
from api.result_consumer import ResultConsumer
from api.sse_broadcaster import SseBroadcaster
from api.tokens import TokenVerifier
from runtime.gateway_settings import GatewaySettings
from runtime.settings import Settings


@dataclass(slots=True, kw_only=True)
class Services:
    """The services of one gateway process.

    :param reads: read-only database connections.
    :param commands: the only way to change an interaction (single-writer invariant).
    :param decisions: the only way to change integrations and their warnings.
    :param dead_letters: index of the dead letters; ``letter_decisions`` executes decisions on them.
    :param broadcaster: fan-out of changes to event streams.
    :param cache: values that a module keeps between requests, under a key of its own.
    """

    settings: Settings
    gateway: GatewaySettings
    tokens: TokenVerifier
    rate_limiter: RateLimiter
    reads: ReadPool
    commands: CommandGateway
    decisions: DecisionGateway
    results: ResultConsumer
    integration_events: IntegrationEventConsumer
    broadcaster: SseBroadcaster
    dead_letters: DeadLetterReader
    letter_decisions: DeadLetterDecisions
    sampler: OperationsSampler
    mutation_guards: MutationGuards
    cache: dict[str, Any] = field(default_factory=dict)

    @property
    def connected(self) -> bool:
        """True once both consumers have reached their topics."""
        return self.results.connected() and self.integration_events.connected()


def services_of(request: Request) -> Services:
    """The services of the app that serves this request."""
    services: Services = request.app.state.services
    return services


async def _services(request: Request) -> Services:
    # Hazard: FastAPI runs a dependency that is not a coroutine in a thread, which delays every request.
    return services_of(request)


#: A route's parameter: ``services: ServicesDep``.
ServicesDep = Annotated[Services, Depends(_services)]
