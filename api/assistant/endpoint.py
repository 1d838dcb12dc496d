"""``/mcp`` of the gateway: authenticate, then serve the streamable HTTP transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import structlog
from mcp.server import ServerRequestContext
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from api.assistant.gateway_client import GatewayClient, client_in_process
from api.assistant.resource import PATH, WELL_KNOWN, metadata, metadata_url, resource_of, transport_security
from api.assistant.server import make_server
from api.authorization import HANDED_OVER, bearer_of
from api.principal import Principal
from api.problems import problem_response, response_of
from api.request_checks import check_single_headers
from api.services import services_of
from api.tokens import TokenVerifier
from runtime.gateway_settings import GatewaySettings
from schemas.errors import InteractionsError, NeedsAuth, Reject

_NO_RESOURCE: Final = (
    "The gateway does not know its public address, so it accepts no token here. Set"
    " INTERACTIONS_API_MCP_RESOURCE to the public URL of this address."
)


class AssistantEndpoint:
    """ASGI application at ``/mcp``.

    It keeps no sessions, so any gateway process serves any request, and every request needs a token whose
    audience is this resource.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._resource = resource_of(settings)
        self._metadata_url = metadata_url(self._resource)
        self._tokens: TokenVerifier | None = None
        self._sessions: StreamableHTTPSessionManager | None = None

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """The tools, and the metadata of the resource, which is public."""
        found: list[BaseRoute] = [_NamedRoute(PATH, self)]
        if self._metadata_url is not None:
            paths = dict.fromkeys([urlsplit(self._metadata_url).path, WELL_KNOWN + PATH])
            found += [_NamedRoute(path, self._show_metadata, methods=["GET"]) for path in paths]
        return found

    @asynccontextmanager
    async def run(self, app: ASGIApp) -> AsyncIterator[None]:
        """Serve until the block ends.

        :param app: the application whose routes the tools call.
        """

        def client_of(context: ServerRequestContext) -> AbstractAsyncContextManager[GatewayClient]:
            request = context.request
            assert isinstance(request, Request)
            principal: Principal = request.scope[HANDED_OVER]
            return client_in_process(app, principal, request.headers.get("traceparent"))

        if self._resource is not None:
            audience = {"jwt_audience": self._resource}
            self._tokens = TokenVerifier(self._settings.model_copy(update=audience))
        self._sessions = StreamableHTTPSessionManager(
            make_server(client_of),
            json_response=True,
            stateless=True,
            security_settings=transport_security(self._settings),
            max_request_body_size=self._settings.max_body_bytes,
        )
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        try:
            principal = await self._authenticate(request)
        except InteractionsError as failure:
            await self._refusal(failure)(scope, receive, send)
            return
        if request.method != "POST":
            # Without sessions there is no stream to open and none to end.
            detail = "Send each message with POST."
            response = problem_response(405, "method_not_allowed", detail, headers={"Allow": "POST"})
            await response(scope, receive, send)
            return
        assert self._sessions is not None
        await self._sessions.handle_request({**scope, HANDED_OVER: principal}, receive, send)

    async def _authenticate(self, request: Request) -> Principal:
        """The caller.

        :raises NeedsAuth: no valid token for this resource.
        :raises Reject: the caller has sent too many requests, or the gateway accepts no token here.
        """
        if self._tokens is None:
            raise Reject("mcp_resource_unknown", _NO_RESOURCE, status=503)
        check_single_headers(request)
        principal = await self._tokens.verify(bearer_of(request))
        request.state.principal = principal
        structlog.contextvars.bind_contextvars(
            tenant_id=principal.tenant_id, organization_id=principal.organization_id
        )
        services_of(request).rate_limiter.take(principal)
        return principal

    def _refusal(self, failure: InteractionsError) -> Response:
        if not isinstance(failure, NeedsAuth):
            return response_of(failure)
        challenge = "Bearer"
        if self._metadata_url is not None:
            # RFC 9728, section 5.1.
            challenge += f' resource_metadata="{self._metadata_url}"'
        detail = f"{failure} Its audience (aud) must be {self._resource}."
        return problem_response(
            401, "unauthorized", detail, error="Unauthorized", headers={"WWW-Authenticate": challenge}
        )

    async def _show_metadata(self, _request: Request) -> Response:
        assert self._resource is not None
        document = metadata(self._resource, self._settings.jwt_issuer)
        return JSONResponse(document, headers={"Access-Control-Allow-Origin": "*"})


class _NamedRoute(Route):
    """A route that the log and the metrics show by its path."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return match, {**child, "route": self} if match is not Match.NONE else child
