"""Strict Trello simulator over HTTP: only what the vendor documents.

It refuses unknown parameters and credentials in the query, so that a client's mistake fails a test. Tests
make edits through ``board`` and inject faults through the simulator's attributes.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.providers.asgi_thread import Switch
from tests.providers.trello_board import Action, Card, Refused, TrelloBoard
from tests.providers.trello_limits import TrelloLimits
from tests.providers.trello_webhooks import TrelloWebhooks

KEY: Final = "0123456789abcdef0123456789abcdef"
TOKEN: Final = "ATTA-simulated-token"
SECRET: Final = "simulated-application-secret"
CLIENT_ID, CLIENT_SECRET = "simulated-client", "simulated-client-secret"
_OAUTH: Final = re.compile(r'OAuth oauth_consumer_key="([^"]*)", oauth_token="([^"]*)"')
_METHODS: Final = ("GET", "POST", "PUT", "DELETE")
_CARD_WRITE: Final = frozenset({"name", "desc", "due", "dueComplete", "closed", "idList", "idLabels", "pos"})

Handler = Callable[["TrelloSimulator", Request, dict[str, Any]], Any]


class TrelloSimulator:
    """One board, one key, one token, one OAuth 2.0 client."""

    def __init__(self) -> None:
        #: Seconds by which the vendor's clock is ahead.
        self.skew = 0.0
        self.limits = TrelloLimits()
        self.webhooks = TrelloWebhooks(SECRET)
        self.board = TrelloBoard(lambda: time.time() + self.skew, self.webhooks.tell)
        #: Every accepted request: method and path.
        self.requests: list[tuple[str, str]] = []
        self.down = False
        self.revoked = False
        #: Cards that this token can no longer see.
        self.hidden_cards: set[str] = set()
        #: Answer 404 for the board and everything on it, as for a token that lost its membership.
        self.vanished = False
        #: Cards that are read-only for this token.
        self.refused_cards: set[str] = set()
        self.latency = 0.0
        #: Number of upcoming card writes to execute without a response.
        self.unanswered = 0
        self.access_token, self.refresh_token, self.refreshes = "access-0", "refresh-0", 0

    @property
    def writes(self) -> int:
        """Number of writes executed."""
        return sum(method != "GET" and not path.startswith("/oauth") for method, path in self.requests)

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Answer every request with 503."""
        self.down = True
        try:
            yield
        finally:
            self.down = False

    def app(self) -> Starlette:
        """The simulator as an ASGI app."""
        return Starlette(
            routes=[Route(path, self._route(by), methods=list(_METHODS)) for path, by in _ROUTES.items()]
        )

    def _route(self, handlers: dict[str, Handler]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            return await self._serve(request, handlers)

        return endpoint

    async def _serve(self, request: Request, handlers: dict[str, Handler]) -> Response:
        given = await _parameters(request)
        return await run_in_threadpool(self._answer, request, given, handlers)

    def _answer(self, request: Request, given: dict[str, Any], handlers: dict[str, Handler]) -> Response:
        if self.latency:
            time.sleep(self.latency)
        if self.down:
            return PlainTextResponse("Service Unavailable", 503)
        try:
            limited, answer = self._carry_out(request, given, handlers)
        except Refused as error:
            return PlainTextResponse(error.text, error.status)
        if limited:
            return JSONResponse({"error": limited, "message": "Rate limit exceeded"}, 429)
        if request.method != "GET" and self.unanswered and request.url.path.startswith("/1/cards"):
            self.unanswered -= 1
            return StreamingResponse(_cut(), headers={"content-length": "9999"})
        return JSONResponse(answer)

    def _carry_out(
        self, request: Request, given: dict[str, Any], handlers: dict[str, Handler]
    ) -> tuple[str | None, Any]:
        handler = handlers.get(request.method)
        if handler is None:
            raise Refused(404, f"Cannot {request.method} {request.url.path}")
        if request.url.path != "/oauth/token":
            limited = self.limits.refuse(*self._authorised(request))
            if limited:
                return limited, None
        answer = handler(self, request, given)
        self.requests.append((request.method, request.url.path))
        if given:
            raise Refused(400, f"this simulator knows no parameter {sorted(given)}")
        return None, answer

    def _authorised(self, request: Request) -> tuple[str, str]:
        if {"key", "token"} & set(request.query_params):
            raise Refused(400, "credentials belong into the Authorization header")
        header = request.headers.get("authorization", "")
        if header.startswith("Bearer "):
            if header != f"Bearer {self.access_token}" or self.revoked:
                raise Refused(401, "invalid token")
            return CLIENT_ID, header
        match = _OAUTH.fullmatch(header)
        if match is None or match[1] != KEY:
            raise Refused(401, "invalid key")
        if match[2] != TOKEN or self.revoked:
            raise Refused(401, "invalid token")
        return match[1], match[2]


async def _cut() -> AsyncIterator[bytes]:
    yield b"{"


async def _parameters(request: Request) -> dict[str, Any]:
    given: dict[str, Any] = dict(request.query_params)
    if await request.body():
        given.update(await request.json())
    return given


def _boolean(given: dict[str, Any], name: str) -> None:
    if name in given and given[name] in {"true", "false"}:
        given[name] = given[name] == "true"


def _card_fields(given: dict[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    fields = {name: given.pop(name) for name in list(given) if name in allowed}
    for name in ("dueComplete", "closed"):
        _boolean(fields, name)
    if "idLabels" in fields:
        fields["idLabels"] = [label for label in fields["idLabels"].split(",") if label]
    if fields.get("due") in {"", "null"}:
        fields["due"] = None
    if fields.get("due") is not None:
        try:
            due = datetime.fromisoformat(fields["due"])
        except (TypeError, ValueError):
            raise Refused(400, "invalid value for due") from None
        fields["due"] = due.strftime("%Y-%m-%dT%H:%M:%S.") + f"{due.microsecond // 1000:03}Z"
    return fields


def _chosen(record: dict[str, Any], given: str | None) -> dict[str, Any]:
    if given in {None, "all"}:
        return record
    names = str(given).split(",")
    return {"id": record["id"], **{name: record[name] for name in names if name in record}}


def _client(request: Request) -> str | None:
    return request.headers.get("x-trello-client-identifier")


def _same_board(simulator: TrelloSimulator, request: Request) -> None:
    if request.path_params["board"] != simulator.board.id or simulator.vanished:
        raise Refused(404, "board not found")


def _get_board(simulator: TrelloSimulator, request: Request, given: dict[str, Any]) -> Any:
    _same_board(simulator, request)
    board = simulator.board
    return _chosen({"id": board.id, "name": board.name, "closed": board.closed}, given.pop("fields", None))


def _get_lists(simulator: TrelloSimulator, request: Request, given: dict[str, Any]) -> Any:
    _same_board(simulator, request)
    given.pop("filter", None)
    fields = given.pop("fields", None)
    return [_chosen(entry, fields) for entry in simulator.board.lists if not entry["closed"]]


def _get_labels(simulator: TrelloSimulator, request: Request, given: dict[str, Any]) -> Any:
    _same_board(simulator, request)
    fields = given.pop("fields", None)
    return [_chosen(entry, fields) for entry in simulator.board.labels[: int(given.pop("limit", 50))]]


def _post_label(simulator: TrelloSimulator, _request: Request, given: dict[str, Any]) -> Any:
    if given.pop("idBoard", None) != simulator.board.id:
        raise Refused(400, "invalid value for idBoard")
    return simulator.board.create_label(given.pop("name"), given.pop("color", None))


def _window(entries: list[Any], given: dict[str, Any], most: int) -> list[Any]:
    """Entries newest first, filtered by ``since``, ``before`` and ``limit`` (ids or dates)."""
    limit = int(given.pop("limit", 50))
    if not 0 <= limit <= most:
        raise Refused(400, "invalid value for limit")
    since, before = given.pop("since", None), given.pop("before", None)
    for bound in (since, before):
        if bound is not None and not re.fullmatch(r"[0-9a-f]{24}", bound):
            raise Refused(400, "invalid date")
    kept = [
        entry
        for entry in sorted(entries, key=lambda entry: entry["id"], reverse=True)
        if (since is None or entry["id"] > since) and (before is None or entry["id"] < before)
    ]
    return kept[:limit]


def _get_cards(simulator: TrelloSimulator, request: Request, given: dict[str, Any]) -> Any:
    _same_board(simulator, request)
    which, fields = given.pop("filter", "visible"), given.pop("fields", None)
    given.setdefault("limit", "1000")
    board = simulator.board
    with board.lock:
        cards = [board.shown(card) for card in board.cards.values() if card["idBoard"] == board.id]
    wanted = [card for card in cards if which == "all" or card["closed"] == (which == "closed")]
    return [_chosen(card, fields) for card in _window(wanted, given, 1000)]


def _get_actions(simulator: TrelloSimulator, request: Request, given: dict[str, Any]) -> Any:
    _same_board(simulator, request)
    kinds = set(given.pop("filter", "all").split(","))
    for name in ("fields", "member", "memberCreator"):
        given.pop(name, None)
    with simulator.board.lock:
        actions = [entry for entry in simulator.board.actions if kinds & {"all", entry["type"]}]
    return _window(actions, given, 1000)


def _visible(simulator: TrelloSimulator, request: Request) -> str:
    identity: str = request.path_params["card"]
    if simulator.vanished:
        raise Refused(404, "The requested resource was not found.")
    if identity in simulator.hidden_cards:
        raise Refused(401, "unauthorized card permission requested")
    return identity


def _get_card(simulator: TrelloSimulator, request: Request, given: dict[str, Any]) -> Any:
    card = simulator.board.card(_visible(simulator, request))
    kinds = given.pop("actions", None)
    shown = _chosen(card, given.pop("fields", None))
    if kinds is not None:
        limit = int(given.pop("actions_limit", 50))
        given.pop("action_fields", None)
        told: list[Action] = simulator.board.actions_of(card["id"])
        wanted = [entry for entry in reversed(told) if entry["type"] in kinds.split(",")]
        shown["actions"] = wanted[:limit]
    return shown


def _post_card(simulator: TrelloSimulator, request: Request, given: dict[str, Any]) -> Any:
    fields = _card_fields(given, _CARD_WRITE - {"closed"})
    return simulator.board.create_card(fields, client=_client(request))


def _put_card(simulator: TrelloSimulator, request: Request, given: dict[str, Any]) -> Any:
    identity = _visible(simulator, request)
    if identity in simulator.refused_cards:
        raise Refused(403, "forbidden")
    card: Card = simulator.board.update_card(
        identity, _card_fields(given, _CARD_WRITE), client=_client(request)
    )
    return _chosen(card, given.pop("fields", None))


def _delete_card(simulator: TrelloSimulator, request: Request, _given: dict[str, Any]) -> Any:
    simulator.board.delete_card(_visible(simulator, request), client=_client(request))
    return {"limits": {}}


def _get_tokens(simulator: TrelloSimulator, _request: Request, given: dict[str, Any]) -> Any:
    with_hooks = given.pop("webhooks", "false") == "true"
    return [{"id": "t1", "webhooks": list(simulator.webhooks.known.values()) if with_hooks else []}]


def _post_webhook(simulator: TrelloSimulator, _request: Request, given: dict[str, Any]) -> Any:
    return simulator.webhooks.create(
        simulator.board.new_id(), given.pop("callbackURL"), given.pop("idModel"), given.pop("description", "")
    )


def _webhook(simulator: TrelloSimulator, request: Request) -> dict[str, Any]:
    hook = simulator.webhooks.known.get(request.path_params["webhook"])
    if hook is None:
        raise Refused(404, "The requested resource was not found.")
    return hook


def _get_webhook(simulator: TrelloSimulator, request: Request, _given: dict[str, Any]) -> Any:
    return _webhook(simulator, request)


def _put_webhook(simulator: TrelloSimulator, request: Request, given: dict[str, Any]) -> Any:
    hook = _webhook(simulator, request)
    _boolean(given, "active")
    hook["active"] = given.pop("active")
    return hook


def _delete_webhook(simulator: TrelloSimulator, request: Request, _given: dict[str, Any]) -> Any:
    del simulator.webhooks.known[_webhook(simulator, request)["id"]]
    return {"_value": None}


def _post_token(simulator: TrelloSimulator, _request: Request, given: dict[str, Any]) -> Any:
    asked = {name: given.pop(name, None) for name in list(given)}
    right = {
        "grant_type": "refresh_token",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": simulator.refresh_token,
    }
    if asked != right or simulator.revoked:
        raise Refused(403, '{"error":"invalid_grant"}')
    simulator.refreshes += 1
    simulator.access_token = f"access-{simulator.refreshes}"
    simulator.refresh_token = f"refresh-{simulator.refreshes}"
    return {
        "access_token": simulator.access_token,
        "refresh_token": simulator.refresh_token,
        "expires_in": 3600,
        "token_type": "Bearer",
    }


_ROUTES: Final[dict[str, dict[str, Handler]]] = {
    "/1/boards/{board}": {"GET": _get_board},
    "/1/boards/{board}/lists": {"GET": _get_lists},
    "/1/boards/{board}/labels": {"GET": _get_labels},
    "/1/boards/{board}/cards": {"GET": _get_cards},
    "/1/boards/{board}/actions": {"GET": _get_actions},
    "/1/labels": {"POST": _post_label},
    "/1/cards": {"POST": _post_card},
    "/1/cards/{card}": {"GET": _get_card, "PUT": _put_card, "DELETE": _delete_card},
    "/1/members/me/tokens": {"GET": _get_tokens},
    "/1/webhooks": {"POST": _post_webhook},
    "/1/webhooks/{webhook}": {"GET": _get_webhook, "PUT": _put_webhook, "DELETE": _delete_webhook},
    "/oauth/token": {"POST": _post_token},
}


@contextlib.contextmanager
def trello(switch: Switch) -> Iterator[TrelloSimulator]:
    """Install a new simulator behind the switch of a running server."""
    simulator = TrelloSimulator()
    switch.app = simulator.app()
    simulator.webhooks.start()
    try:
        yield simulator
    finally:
        simulator.webhooks.stop()
        switch.app = None
