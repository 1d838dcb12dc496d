"""HTTP client of the gateway's routes, within the gateway's process or from another one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

import httpx2
import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from api.authorization import HANDED_OVER
from api.principal import Principal
from api.problems import command_url
from api.write_responses import OPERATION_PREFIX

_PROBLEM: Final = "urn:customer-interactions:problem:"


@dataclass(frozen=True, slots=True)
class Answer:
    """One response of the gateway.

    :param status: ``None`` if no complete response arrived. The request may have been executed nevertheless.
    :param body: parsed JSON; ``None`` if it is something else.
    """

    status: int | None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def problem(self) -> dict[str, Any] | None:
        """The problem document, if the response is one of this gateway, not of a proxy before it."""
        body = self.body
        if self.status is None or self.status < 400 or not isinstance(body, dict):
            return None
        named = isinstance(body.get("code"), str) and str(body.get("type", "")).startswith(_PROBLEM)
        return body if named else None

    @property
    def undo_token(self) -> str | None:
        """The token of the ``x-om-operation`` header."""
        given = self.headers.get("x-om-operation", "")
        if not given.startswith(OPERATION_PREFIX):
            return None
        token = orjson.loads(unquote(given.removeprefix(OPERATION_PREFIX)))["undoToken"]
        return str(token)


@dataclass(frozen=True, slots=True)
class Lookup:
    """The journal's entry of a command, if it has one.

    :param entry: as ``GET /api/customers/commands/{id}`` shows it.
    :param certain: false if the gateway gave no answer, so that there may be an entry.
    """

    entry: dict[str, Any] | None
    certain: bool


@dataclass(frozen=True, slots=True)
class GatewayClient:
    """Requests of one tool call.

    :param principal: the caller; it determines the ids of commands. The gateway checks it per request.
    :param headers: of every request.
    """

    http: httpx2.AsyncClient
    principal: Principal
    headers: Mapping[str, str] = field(default_factory=dict)

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request. A lost connection is an answer without a status, not an exception."""
        sent = {**self.headers, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = "application/json"
        content = orjson.dumps(body) if body is not None else None
        try:
            response = await self.http.request(method, path, params=params, content=content, headers=sent)
        except httpx2.HTTPError:
            return Answer(None)
        try:
            parsed = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            parsed = None
        return Answer(response.status_code, parsed, response.headers)

    async def command(self, command_id: str) -> Lookup:
        """Look up the outcome of a command."""
        answer = await self.request("GET", command_url(command_id))
        if answer.status == 200 and isinstance(answer.body, dict):
            return Lookup(answer.body, certain=True)
        refused = answer.problem is not None and answer.status is not None and answer.status < 500
        return Lookup(None, certain=refused)


@asynccontextmanager
async def client_in_process(
    app: ASGIApp, principal: Principal, traceparent: str | None
) -> AsyncIterator[GatewayClient]:
    """A client whose requests never leave the process.

    It hands over the principal of the verified token in the ASGI scope, which no request from outside can
    set. So a token for the tools need not be valid for the other routes.
    """
    transport = httpx2.ASGITransport(app=_HandingOver(app, principal), raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://gateway", trust_env=False) as http:
        yield GatewayClient(http, principal, {"traceparent": traceparent} if traceparent is not None else {})


class _HandingOver:
    """The app with the principal of one caller."""

    def __init__(self, app: ASGIApp, principal: Principal) -> None:
        self._app = app
        self._principal = principal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Hazard: the middleware clears the context variables of its task. The call's own must survive.
        await asyncio.create_task(self._serve({**scope, HANDED_OVER: self._principal}, receive, send))

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)
