"""The tools over standard input and output, as a client of a running gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import jwt
import structlog
from mcp.server import ServerRequestContext
from mcp.server.stdio import stdio_server

from api.assistant.gateway_client import Answer, GatewayClient
from api.assistant.server import make_server
from api.principal import Principal
from api.routes import interactions
from runtime.assistant_settings import MCP_PREFIX, AssistantSettings
from runtime.running_stack import read_running_stack
from schemas.errors import NeedsAuth, Retry, Stop

_log = structlog.get_logger("assistant")
_CONNECT_SECONDS = 5.0


async def serve_stdio(settings: AssistantSettings, home: Path) -> None:
    """Serve one assistant until its input ends.

    :param home: of the local stack, whose gateway is the default.
    :raises Stop: no identity or no gateway is configured.
    :raises NeedsAuth: the gateway refuses the token.
    :raises Retry: the gateway is unavailable.
    """
    bearer = settings.bearer()
    url = settings.url or _local_gateway(home)
    timeout = httpx2.Timeout(settings.timeout_seconds, connect=_CONNECT_SECONDS)
    async with httpx2.AsyncClient(base_url=url, timeout=timeout) as http:

        @asynccontextmanager
        async def client_of(_context: ServerRequestContext) -> AsyncIterator[GatewayClient]:
            # One token per tool call, so that it cannot fail between the change and the read after it.
            yield _client(http, bearer())

        await _check(_client(http, bearer()), url)
        server = make_server(client_of)
        async with stdio_server() as (incoming, outgoing):
            _log.info("assistant.serving", gateway=url)
            await server.run(incoming, outgoing, server.create_initialization_options())


def _client(http: httpx2.AsyncClient, token: str) -> GatewayClient:
    return GatewayClient(http, principal_of(token), {"Authorization": f"Bearer {token}"})


def principal_of(token: str) -> Principal:
    """The identity in a token, which determines the ids of commands. The gateway verifies it per request.

    :raises NeedsAuth: it is not a token of this project.
    """
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
        features = claims.get("features", ())
        return Principal(
            tenant_id=str(claims["tenantId"]).lower(),
            organization_id=str(claims["organizationId"]).lower(),
            subject=str(claims["sub"]),
            features=frozenset(features if isinstance(features, list) else ()),
        )
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, RecursionError):
        raise NeedsAuth(
            f"The token in {MCP_PREFIX}TOKEN or {MCP_PREFIX}TOKEN_FILE lacks sub, tenantId or organizationId."
        ) from None


def _local_gateway(home: Path) -> str:
    running = read_running_stack(home)
    if running is None or running.api_url is None:
        raise Stop(
            f"No gateway runs in {home}. Set {MCP_PREFIX}URL to the base URL of a gateway, or start a stack"
            " with `interactions up --detach`."
        )
    return running.api_url


async def _check(gateway: GatewayClient, url: str) -> None:
    """Check that the gateway responds and accepts the token. A missing feature shows per tool."""
    answer = await gateway.request("GET", interactions.PATH, params={"limit": "1"})
    if answer.status == 401:
        raise NeedsAuth(f"The gateway at {url} refuses the token: {_detail(answer)}")
    if answer.status not in (200, 403):
        raise Retry(
            f"The gateway at {url} is unavailable ({answer.status or 'no answer'}). Start it, then retry."
        )


def _detail(answer: Answer) -> str:
    return str((answer.problem or {}).get("detail", "it gave no reason."))
