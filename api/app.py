"""The gateway as one ASGI application: create the services, register the routes."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from fastapi import FastAPI

from api import problems
from api.assistant.endpoint import AssistantEndpoint
from api.authorization import check_all_authorized
from api.body_limit import BodyLimitMiddleware
from api.command_gateway import CommandGateway
from api.command_producer import CommandSender
from api.dead_letters.decisions import DeadLetterDecisions
from api.dead_letters.reader import DeadLetterReader
from api.guarded_commands import GuardedCommandGateway
from api.integration_decisions import DecisionGateway
from api.integration_event_consumer import IntegrationEventConsumer
from api.listen_loop import listen_for_outcomes
from api.metrics import Metrics
from api.mutation_guards import MutationGuards, load_mutation_guards
from api.openapi_document import describe
from api.operations.sampler import OperationsSampler
from api.operations.samples import Samples
from api.rate_limit import RateLimiter
from api.read_pool import ReadPool
from api.reply_record import ReplyRecord
from api.request_middleware import RequestMiddleware
from api.result_consumer import ResultConsumer
from api.routes import MODULES
from api.services import Services
from api.sse_broadcaster import SseBroadcaster
from api.tokens import TokenVerifier
from runtime.gateway_settings import GatewaySettings
from runtime.registry_fetch import make_fetch
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder

TITLE: Final = "Customer interactions"


def make_app(
    settings: Settings, gateway: GatewaySettings, extend: Callable[[FastAPI], None] | None = None
) -> FastAPI:
    """Create the application. Its clients open on startup and close on shutdown.

    :param extend: adds routes of another package, before the check that each declares its authorization.
    :raises Stop: a setting is missing, a mutation guard cannot be loaded, or a route declares no
        authorization.
    """
    metrics = Metrics()
    assistant = AssistantEndpoint(gateway)
    app = FastAPI(
        title=TITLE,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=partial(
            _lifespan, settings=settings, gateway=gateway, guards=load_mutation_guards(), assistant=assistant
        ),
        redirect_slashes=False,
    )
    app.state.metrics = metrics
    headers: dict[str, dict[str, str]] = {}
    for module in MODULES:
        # The routes themselves, not an included router: tests and authorization read the route table.
        app.router.routes.extend(module.router.routes)
        if hasattr(module, "extra_headers"):
            headers.update(module.extra_headers(gateway))
    app.router.routes.extend(assistant.routes)
    if extend is not None:
        extend(app)
    problems.install_handlers(app)
    app.add_middleware(
        BodyLimitMiddleware, max_bytes=gateway.max_body_bytes, timeout=gateway.body_timeout_seconds
    )
    # Added last, so it is outermost: it counts and logs refused bodies too.
    app.add_middleware(
        RequestMiddleware, metrics=metrics, headers=headers, show_statements=gateway.show_statements
    )
    describe(app)
    check_all_authorized(app)
    return app


@asynccontextmanager
async def _lifespan(
    app: FastAPI,
    *,
    settings: Settings,
    gateway: GatewaySettings,
    guards: MutationGuards,
    assistant: AssistantEndpoint,
) -> AsyncIterator[None]:
    tokens = TokenVerifier(gateway)
    sender = CommandSender(settings, timeout=gateway.broker_timeout_seconds)
    services = _make_services(settings, gateway, guards, tokens, sender)
    results = _ResultDispatcher(
        services.commands,
        services.decisions,
        services.broadcaster,
        services.sampler.samples,
        asyncio.get_running_loop(),
    )
    await services.reads.open()
    sender.start()
    services.results.start(results.on_results)
    services.integration_events.start(results.on_integration_events)
    services.sampler.start()
    listen_loop = asyncio.create_task(listen_for_outcomes(settings, services.commands))
    app.state.services = services
    try:
        async with assistant.run(app):
            yield
    finally:
        listen_loop.cancel()
        await asyncio.wait([listen_loop])
        services.broadcaster.close()
        await asyncio.to_thread(services.results.close)
        await asyncio.to_thread(services.integration_events.close)
        await asyncio.to_thread(services.dead_letters.close)
        await asyncio.to_thread(services.sampler.close)
        await asyncio.to_thread(sender.close)
        await services.reads.close()


def _make_services(
    settings: Settings,
    gateway: GatewaySettings,
    guards: MutationGuards,
    tokens: TokenVerifier,
    sender: CommandSender,
) -> Services:
    reads = ReadPool(settings, size=gateway.pool_size, seconds=gateway.read_timeout_seconds)
    decoder = AvroDecoder(make_fetch(settings), text_instants=True)
    results = ResultConsumer(settings, backlog=gateway.stream_backlog)
    integration_events = IntegrationEventConsumer(settings, backlog=gateway.stream_backlog)
    dead_letters = DeadLetterReader(settings)
    return Services(
        settings=settings,
        gateway=gateway,
        tokens=tokens,
        rate_limiter=RateLimiter(gateway.rate_per_second, gateway.rate_burst),
        reads=reads,
        commands=GuardedCommandGateway(
            sender,
            decoder,
            reads,
            guards=guards,
            connected=results.connected,
            timeout=gateway.outcome_timeout_seconds,
        ),
        decisions=DecisionGateway(
            sender,
            decoder,
            connected=integration_events.connected,
            timeout=gateway.outcome_timeout_seconds,
        ),
        results=results,
        integration_events=integration_events,
        broadcaster=SseBroadcaster(
            decoder,
            starts=ChainMap(results.starts, integration_events.starts),
            ends=ChainMap(results.ends, integration_events.ends),
            backlog=gateway.stream_backlog,
            max_clients=gateway.stream_clients,
        ),
        dead_letters=dead_letters,
        letter_decisions=DeadLetterDecisions(settings, sender, dead_letters),
        sampler=OperationsSampler(settings),
        mutation_guards=guards,
    )


class _ResultDispatcher:
    """Passes the consumers' records to pending requests and, in the event loop's thread, to event streams."""

    def __init__(
        self,
        commands: CommandGateway,
        decisions: DecisionGateway,
        broadcaster: SseBroadcaster,
        samples: Samples,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._commands = commands
        self._decisions = decisions
        self._broadcaster = broadcaster
        self._samples = samples
        self._loop = loop

    def on_results(self, records: list[ReplyRecord]) -> None:
        fresh = [record for record in records if record.fresh]
        self._commands.on_results(fresh)
        self._samples.count(record.outcome for record in fresh if record.outcome is not None)
        self._loop.call_soon_threadsafe(self._broadcaster.on_results, records)

    def on_integration_events(self, records: list[ReplyRecord]) -> None:
        self._decisions.on_results(records)
        self._loop.call_soon_threadsafe(self._broadcaster.on_results, records)
