"""The gateway as one ASGI application: its parts are made here, and every routes module is put in."""

from __future__ import annotations

import asyncio
from collections import ChainMap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI

from api import problems
from api.command_producer import CommandSender
from api.guarded_commands import GuardedCommandGateway
from api.authorization import check_all_guarded
from api.integration_decisions import DecisionGateway
from api.integration_event_consumer import IntegrationEventConsumer
from api.listen_loop import listen_for_outcomes
from api.mutation_guards import MutationGuards, load_mutation_guards
from api.openapi_document import describe
from api.rate_limit import RateLimiter
from api.read_pool import ReadPool
from api.request_middleware import Metrics, RequestMiddleware
from api.result_consumer import Heard, ResultConsumer
from api.routes import MODULES
from api.services import Services
from api.sse_broadcaster import SseBroadcaster
from api.tokens import Tokens
from runtime.gateway_settings import GatewaySettings
from runtime.registry_fetch import make_fetch
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder

TITLE: Final = "Customer interactions"


def make_app(settings: Settings, gateway: GatewaySettings) -> FastAPI:
    """The application; its clients open when it starts and close when it stops.

    :raises Stop: a setting is missing, a mutation guard cannot be loaded, or a route declares no guard.
    """
    figures = Metrics()
    guards = load_mutation_guards()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with _running(settings, gateway, guards) as services:
            app.state.services = services
            app.state.figures = figures
            yield

    app = FastAPI(
        title=TITLE,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    headers: dict[str, dict[str, str]] = {}
    for module in MODULES:
        # The very routes, not an included router: the route table is what tests and guards read.
        app.router.routes.extend(module.router.routes)
        if hasattr(module, "extra_headers"):
            headers.update(module.extra_headers(gateway))
    problems.install(app)
    app.add_middleware(
        RequestMiddleware,
        figures=figures,
        headers=headers,
        max_body_bytes=gateway.max_body_bytes,
        body_seconds=gateway.body_timeout_seconds,
        show_statements=gateway.show_statements,
    )
    describe(app)
    check_all_guarded(app)
    return app


@asynccontextmanager
async def _running(
    settings: Settings, gateway: GatewaySettings, guards: MutationGuards
) -> AsyncIterator[Services]:
    tokens = Tokens(gateway)
    loop = asyncio.get_running_loop()
    reads = ReadPool(settings, size=gateway.pool_size, seconds=gateway.read_timeout_seconds)
    sender = CommandSender(settings, timeout=gateway.broker_timeout_seconds)
    decoder = AvroDecoder(make_fetch(settings), text_instants=True)

    def listening() -> bool:
        return listener.ready.is_set()

    commands = GuardedCommandGateway(
        sender,
        decoder,
        reads,
        guards=guards,
        listening=listening,
        timeout=gateway.outcome_timeout_seconds,
    )

    def hearing_of_integrations() -> bool:
        return mappings.ready.is_set()

    decisions = DecisionGateway(
        sender,
        listening=hearing_of_integrations,
        timeout=gateway.outcome_timeout_seconds,
    )

    def shown(items: list[Heard]) -> None:
        loop.call_soon_threadsafe(hub.heard, items)

    def heard_of_integrations(items: list[Heard]) -> None:
        decisions.heard(items)
        shown(items)

    def heard(items: list[Heard]) -> None:
        commands.heard([item for item in items if item.fresh])
        shown(items)

    listener = ResultConsumer(settings, heard, backlog=gateway.stream_backlog)
    mappings = IntegrationEventConsumer(settings, heard_of_integrations, backlog=gateway.stream_backlog)
    hub = SseBroadcaster(
        decoder,
        starts=ChainMap(listener.starts, mappings.starts),
        ends=ChainMap(listener.ends, mappings.ends),
        backlog=gateway.stream_backlog,
        most_clients=gateway.stream_clients,
    )
    await reads.open()
    sender.start()
    listener.start()
    mappings.start()
    notices = asyncio.create_task(listen_for_outcomes(settings, commands))
    try:
        yield Services(
            settings=settings,
            gateway=gateway,
            tokens=tokens,
            rates=RateLimiter(gateway.rate_per_second, gateway.rate_burst),
            reads=reads,
            commands=commands,
            decisions=decisions,
            listener=listener,
            mappings=mappings,
            hub=hub,
            mutation_guards=guards,
        )
    finally:
        notices.cancel()
        await asyncio.wait([notices])
        hub.close()
        await asyncio.to_thread(listener.close)
        await asyncio.to_thread(mappings.close)
        await asyncio.to_thread(sender.close)
        await reads.close()
