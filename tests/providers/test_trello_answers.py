"""Odd answers in Trello's place: none counts as a deletion or as refused credentials, and each is retried."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import pytest
from pydantic import SecretStr

from connectors.providers.trello import DECLARATION, TrelloSettings
from connectors.providers.trello import board as trello_board
from connectors.sdk.bounded_transport import MAX_BODY_BYTES
from connectors.sdk.conformance import FULL
from connectors.sdk.provider import Provider, ProviderContext
from connectors.sdk.remote import ChangePage, Gone, Intent, RemoteObject
from connectors.service.http_client import make_client
from connectors.service.rate_limit import SlidingWindowLimiter
from schemas.errors import InteractionsError, NeedsAuth, Reject, Retry

_NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)
_INTENT: Final = Intent(interaction_id="i-1", marker="m-1", values={**FULL, "interaction_type": "task"})
_CARD: Final[dict[str, Any]] = {
    "id": "c1", "name": "n", "desc": "", "due": None, "dueComplete": False, "closed": False, "idBoard": "b1",
    "idList": "l1", "labels": [], "shortUrl": "https://trello.com/c/1", "isTemplate": False,
    "dateLastActivity": "2026-02-01T00:00:00.000Z",
}  # fmt: skip
_ACTION: Final = {"id": "0a", "type": "updateCard", "date": "2026-02-01T00:00:00.000Z"}
_ODD: Final = (
    b"null", b"[]", b"{}", b"7", b'"x"', b"<html>", b"", b"\xff", b"[" * 50_000, b'{"id": 7}',
    b'{"id": ".."}',
    json.dumps({**_CARD, "desc": None}).encode(), json.dumps({**_CARD, "labels": [{"id": "x"}]}).encode(),
    json.dumps({**_CARD, "dueComplete": "no"}).encode(),
)  # fmt: skip

Answer = Callable[[httpx2.Request], httpx2.Response | None]


class Trello:
    """Provider in front of a well-behaved board, whose answers a test replaces.

    :ivar answer: answers a request, or ``None`` for the usual answer.
    """

    def __init__(self) -> None:
        self.answer: Answer = lambda _: None
        self.requests: list[str] = []
        transport = httpx2.MockTransport(self._handle)
        self.client = make_client(SlidingWindowLimiter(()), public_addresses_only=False, transport=transport)
        settings = TrelloSettings(
            board_id="b1",
            api_key=SecretStr("k"),
            token=SecretStr("t"),
            api_secret=SecretStr("s"),
            api_url="https://api.example/1",
        )
        context = ProviderContext(
            integration_id="board",
            http=self.client,
            now=lambda: _NOW,
            callback_url="https://us.example/webhooks/board",
            save_secrets=lambda **_: None,
        )
        self.provider: Provider = DECLARATION.make(settings, context)

    def _handle(self, request: httpx2.Request) -> httpx2.Response:
        path = request.url.path.removeprefix("/1")
        self.requests.append(f"{request.method} {path}")
        given = self.answer(request)
        if given is not None:
            return given
        usual: dict[str, Any] = {
            "/boards/b1": {"id": "b1", "closed": False},
            "/boards/b1/lists": [{"id": "l1"}],
            "/boards/b1/labels": [{"id": "x1", "name": "type:task"}],
            "/boards/b1/cards": [_CARD],
            "/boards/b1/actions": [],
            "/labels": {"id": "x2"},
            "/cards": _CARD,
            "/cards/c1": {**_CARD, "actions": []},
            "/members/me/tokens": [],
            "/webhooks": {"id": "w1", "active": True},
        }
        return httpx2.Response(200, json=usual[path])


@pytest.fixture
def trello() -> Iterator[Trello]:
    made = Trello()
    yield made
    made.client.close()


def _on(method: str, path: str, answer: Callable[[], httpx2.Response]) -> Answer:
    def by_place(request: httpx2.Request) -> httpx2.Response | None:
        return answer() if (request.method, request.url.path) == (method, f"/1{path}") else None

    return by_place


@pytest.mark.parametrize("body", _ODD, ids=range(len(_ODD)))
def test_an_odd_card_is_retried_whatever_was_done(trello: Trello, body: bytes) -> None:
    base = RemoteObject(external_id="c1", values=FULL, marker="m-1")
    calls: list[tuple[str, str, Callable[[], object]]] = [
        ("GET", "/cards/c1", lambda: trello.provider.read("c1")),
        ("PUT", "/cards/c1", lambda: trello.provider.update("c1", {"title": "t"}, base)),
        ("GET", "/cards/c1", lambda: trello.provider.archive("c1")),
        ("PUT", "/cards/c1", lambda: trello.provider.restore("c1", FULL)),
        ("POST", "/cards", lambda: trello.provider.create(_INTENT)),
    ]
    for method, path, call in calls:
        trello.answer = _on(method, path, lambda: httpx2.Response(200, content=body))
        with pytest.raises(Retry, match="Trello's response"):
            call()


@pytest.mark.parametrize("path", ["", "/lists", "/labels", "/cards"])
@pytest.mark.parametrize("body", [b"null", b"{}", b"7", b"<html>", b"[" * 50_000])
def test_an_odd_answer_about_the_board_is_retried(trello: Trello, path: str, body: bytes) -> None:
    trello.answer = _on("GET", f"/boards/b1{path}", lambda: httpx2.Response(200, content=body))
    calls: dict[str, Callable[[], object]] = {
        "": trello.provider.health,
        "/cards": lambda: trello.provider.changes(None),
    }
    with pytest.raises(Retry, match="Trello's response"):
        calls.get(path, lambda: trello.provider.create(_INTENT))()


def test_one_unreadable_card_does_not_hide_the_others(trello: Trello) -> None:
    odd = [{**_CARD, "id": "c2", "name": None}, {"id": ".."}, None, {**_CARD, "id": "c3", "due": 7}]
    trello.answer = _on("GET", "/boards/b1/cards", lambda: httpx2.Response(200, json=[*odd, _CARD]))
    page = trello.provider.changes(None)
    assert [change.external_id for change in page.changes] == ["c1"]
    assert page.skipped == {"c2": "unreadable", "c3": "unreadable"}
    assert trello.provider.find_by_marker("m-1") is None


def test_one_unreadable_action_does_not_hide_the_others(trello: Trello) -> None:
    card = {"card": {"id": "c1"}}
    odd: list[Any] = [
        None, {}, {**_ACTION, "id": None}, {**_ACTION, "data": None}, {**_ACTION, "data": {}},
        {**_ACTION, "data": {"card": {"id": "../x"}}}, {**_ACTION, "id": "0b", "date": "x", "data": card},
        {**_ACTION, "id": "0c", "data": {**card, "old": 7}}, {**_ACTION, "type": None, "data": card},
    ]  # fmt: skip
    trello.answer = _on("GET", "/boards/b1/actions", lambda: httpx2.Response(200, json=odd))
    page = trello.provider.changes(json.dumps({"since": "0"}))
    assert {change.event_id: change.occurred_at for change in page.changes} == {
        "0b": None,
        "0c": datetime(2026, 2, 1, tzinfo=UTC),
    }


@pytest.mark.parametrize("cursor", ["", "x", "null", "[]", "{}", '{"since": 7}', '{"v": 2}', "[" * 50_000])
def test_a_cursor_of_another_version_begins_a_full_listing(trello: Trello, cursor: str) -> None:
    page: ChangePage = trello.provider.changes(cursor)
    assert page.starts_full_listing
    assert [change.external_id for change in page.changes] == ["c1"]


@pytest.mark.parametrize(("status", "error"), [(403, Reject), (404, Retry), (401, NeedsAuth)])
@pytest.mark.parametrize(("method", "path"), [("POST", "/cards"), ("POST", "/labels")])
def test_a_refused_create_is_about_the_account_only_with_its_credentials(
    trello: Trello, method: str, path: str, status: int, error: type[InteractionsError]
) -> None:
    intent = Intent(interaction_id="i", marker="m", values={**FULL, "interaction_type": "call"})
    odd = _on(method, path, lambda: httpx2.Response(status, content=b"<html>blocked</html>"))
    trello.answer = odd
    with pytest.raises(error):
        trello.provider.create(intent)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_webhook_that_is_refused_leaves_the_board_in_use(trello: Trello, status: int) -> None:
    trello.answer = _on("GET", "/members/me/tokens", lambda: httpx2.Response(status))
    with pytest.raises((Reject, Retry)):
        trello.provider.ensure_webhook()
    assert trello.provider.health().ok
    trello.answer = lambda _: httpx2.Response(401)
    with pytest.raises(NeedsAuth):
        trello.provider.ensure_webhook()


def test_a_list_that_does_not_advance_ends(trello: Trello, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trello_board, "PAGE_SIZE", 1)
    with pytest.raises(Retry, match="does not advance"):
        trello.provider.find_by_marker("m-1")
    assert len(trello.requests) < 5


def test_long_descriptions_are_listed_in_smaller_pages(trello: Trello) -> None:
    def by_size(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path != "/1/boards/b1/cards" or int(request.url.params["limit"]) <= 250:
            return None
        return httpx2.Response(200, content=b" " * (MAX_BODY_BYTES + 1))

    trello.answer = by_size
    assert [change.external_id for change in trello.provider.changes(None).changes] == ["c1"]


def test_a_deleted_card_is_gone_and_an_erasure_needs_no_body(trello: Trello) -> None:
    trello.answer = _on("DELETE", "/cards/c1", lambda: httpx2.Response(204))
    trello.provider.erase("c1")
    trello.answer = _on("GET", "/cards/c1", lambda: httpx2.Response(404))
    assert trello.provider.read("c1") == Gone(external_id="c1")
