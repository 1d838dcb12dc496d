"""Trello: an interaction is a card of one board.

Facts are the vendor's REST reference and its pages on authorization, rate limits and webhooks. Three of
them shape this file: creating a card is not idempotent, so a line at the end of the description holds our
marker; search lags behind, so markers are looked up in the board's list of cards; ``dateLastActivity``
moves on comments too, so the time of a change is taken from the card's actions.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from hashlib import sha1
from typing import Any, Final
from urllib.parse import quote

import httpx2
from pydantic import Field, SecretStr, model_validator

from connectors.sdk.coarse_forms import one_line, plain, to_milliseconds
from connectors.sdk.credentials import Credentials, OAuthToken, StaticHeader
from connectors.sdk.declaration import Declaration, MirroredField, ProviderSettings, RateLimit
from connectors.sdk.http_errors import check_status
from connectors.sdk.json_api import JsonApi
from connectors.sdk.provider import Provider, ProviderContext
from connectors.sdk.remote import ChangePage, Gone, Health, Intent, RemoteChange, RemoteObject
from connectors.sdk.text_marker import MarkedText
from schemas.errors import NeedsAuth, Reject, Retry, Skip
from schemas.instants import format_instant, parse_instant

NO_TITLE: Final = "(no title)"
TYPE_LABEL: Final = "type:"
_FIELDS: Final = "name,desc,due,dueComplete,closed,idBoard,idList,labels,shortUrl,isTemplate,dateLastActivity"
_MIRRORED: Final = frozenset({"name", "desc", "due", "dueComplete", "closed", "isTemplate"})
_ACTIONS: Final = (
    "createCard,copyCard,emailCard,convertToCardFromCheckItem,moveCardToBoard,moveCardFromBoard,"
    "updateCard,deleteCard"
)
_PAGE: Final = 1000
_ELSEWHERE: Final = "the card was moved to another board"
#: Actions of one second may become visible in another order than that of their ids, so a poll looks this far
#: back. The cursor holds the ids that were reported since then: no action is reported twice.
_OVERLAP: Final = timedelta(seconds=60)
_REMEMBERED: Final = 2000
_STATUS: Final[dict[str, dict[str, bool]]] = {
    "planned": {"dueComplete": False, "closed": False},
    "done": {"dueComplete": True, "closed": False},
    "canceled": {"dueComplete": False, "closed": True},
}


class TrelloSettings(ProviderSettings):
    """A board, and either an API key with a token or the tokens of an OAuth 2.0 client."""

    board_id: str = Field(min_length=1, description="The board's id, or the short one from its address")
    list_id: str | None = Field(None, description="The list new cards go to; the first open one if not given")
    api_key: SecretStr | None = Field(None, description="API key of your Trello app, with `token`")
    token: SecretStr | None = Field(None, description="Token of the member the connector acts for")
    api_secret: SecretStr | None = Field(None, description="Your app's secret, by which webhooks are checked")
    client_id: str | None = Field(None, description="OAuth 2.0 client id, instead of `api_key` and `token`")
    client_secret: SecretStr | None = Field(None, description="OAuth 2.0 client secret")
    access_token: SecretStr | None = Field(None, description="OAuth 2.0 access token; renewed by itself")
    refresh_token: SecretStr | None = Field(None, description="OAuth 2.0 refresh token; renewed by itself")
    api_url: str = Field("https://api.trello.com/1", description="Address of the API")
    token_url: str = Field("https://auth.atlassian.com/oauth/token", description="Where tokens are renewed")

    @model_validator(mode="after")
    def _one_way_in(self) -> TrelloSettings:
        static = self.api_key is not None and self.token is not None
        if static == (self.client_id is not None and self.refresh_token is not None):
            raise ValueError("give either api_key and token, or client_id, client_secret and refresh_token")
        return self


class Trello(Provider):
    """One board."""

    def __init__(self, settings: TrelloSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        ours = {"X-Trello-Client-Identifier": context.integration_id}
        self._api = JsonApi("Trello", settings.api_url, _credentials(settings, context), context, ours)
        self._board = f"/boards/{quote(settings.board_id, safe='')}"
        self._board_id: str | None = None
        self._labels: dict[str, str] = {}
        self._webhook: str | None = None
        self._unheard: str | None = None

    def create(self, intent: Intent) -> RemoteObject:
        fields = {**self._fields(intent.values, intent.marker, ()), "idList": self._list_id()}
        closed = fields.pop("closed", False)  # a new card is open, whatever one asks for
        card = self._here("POST", "/cards", fields)
        if closed:
            try:
                card = self._here("PUT", _card_path(card["id"]), {"closed": True})
            except (NeedsAuth, Reject) as error:
                raise Retry("the card is made, and could not be archived") from error
        return _object(card, card["dateLastActivity"])

    def read(self, external_id: str) -> RemoteObject | Gone:
        history = {"actions": _ACTIONS, "actions_limit": "50", "action_fields": "type,date,data"}
        card = self._card(external_id, history)
        if isinstance(card, Gone):
            return card
        changes = [action["date"] for action in card["actions"] if _touches(action)]
        return _object(card, changes[0] if changes else card["dateLastActivity"])

    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        # Labels can only be replaced all at once, so people's own must be known as they are now.
        card = self._card(external_id) if "interaction_type" in changes else {"labels": ()}
        if isinstance(card, Gone):
            return card
        return self._written(external_id, self._fields(changes, base.marker, card["labels"]))

    def archive(self, external_id: str) -> RemoteObject | Gone:
        card = self._card(external_id)
        if isinstance(card, Gone):
            return card
        text = MarkedText.read(card["desc"])
        if text.deleted and card["closed"]:
            return _object(card, None)
        desc = MarkedText(text.body, text.marker, deleted=True).text()
        return self._written(external_id, {"closed": True, "desc": desc})

    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        card = self._card(external_id)
        if isinstance(card, Gone):
            return card
        marker = MarkedText.read(card["desc"]).marker
        return self._written(external_id, self._fields(values, marker, card["labels"]))

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        before: str | None = None
        found: RemoteObject | None = None
        while True:
            cards = self._cards(before)
            for card in cards:  # newest first, so that the last one found is the oldest
                if MarkedText.read(card["desc"]).marker == marker:
                    found = _object(card, None)
            if len(cards) < _PAGE:
                return found
            before = cards[-1]["id"]

    def changes(self, cursor: str | None) -> ChangePage:
        state = json.loads(cursor) if cursor else {"since": self._newest_action(), "listed": None}
        page = self._listing(state) if "listed" in state else self._actions(state)
        return replace(page, starts_full_listing=not cursor)

    def verify_and_parse_webhook(
        self, headers: Mapping[str, str], raw_body: bytes, url: str
    ) -> list[RemoteChange]:
        secret = _secret(self._settings.api_secret or self._settings.client_secret)
        given = headers.get("x-trello-webhook", "").encode()
        # Trello has hashed the low byte of each UTF-16 unit; both forms are compared, always.
        low = raw_body.decode(errors="replace").encode("utf-16-le")[::2]
        equal = [hmac.compare_digest(given, _signature(secret, body, url)) for body in (raw_body, low)]
        if not secret or True not in equal:
            raise Reject(
                "bad_signature", "X-Trello-Webhook does not fit the body and the address", status=401
            )
        try:
            action = json.loads(raw_body)["action"]
            return [_change(action)] if "card" in action["data"] and _touches(action) else []
        except (ValueError, KeyError, TypeError):
            raise Reject("bad_webhook", "the body is no Trello action", status=400) from None

    def ensure_webhook(self) -> None:
        self._unheard = None
        if not _secret(self._settings.api_secret or self._settings.client_secret):
            self._unheard = "no api_secret is set, so no webhook can be verified"
            return
        try:
            self._keep_webhook()
        except Reject:
            self._unheard = "Trello does not accept the webhook's address"
            raise

    def delete_webhook(self) -> None:
        for hook in self._registered(self._context.callback_url):
            self._call("DELETE", f"/webhooks/{hook['id']}")

    def _registered(self, callback: str | None) -> list[dict[str, Any]]:
        board = self._full_board_id()
        tokens = self._here("GET", "/members/me/tokens", {"webhooks": "true"})
        known = [entry for token in tokens for entry in token.get("webhooks", ())]
        return [e for e in known if e["callbackURL"] == callback and e["idModel"] == board]

    def _keep_webhook(self) -> None:
        callback = self._context.callback_url
        if callback is None:
            return
        hook: Any = self._call("GET", f"/webhooks/{self._webhook}") if self._webhook else None
        if hook is None:
            board = self._full_board_id()
            ours = self._registered(callback)
            wanted = {"callbackURL": callback, "idModel": board, "description": "customer interactions"}
            hook = ours[0] if ours else self._here("POST", "/webhooks", wanted)
        if not hook["active"]:
            hook = self._here("PUT", f"/webhooks/{hook['id']}", {"active": True})
        self._webhook = hook["id"]

    def health(self) -> Health:
        board = self._here("GET", self._board, {"fields": "closed"})
        if board["closed"]:
            return Health(ok=False, detail="The board is closed; open it again, or name another one")
        if self._unheard is not None:
            return Health(ok=True, detail=f"Board found; changes are found by polling: {self._unheard}")
        return Health(ok=True, detail="Board found")

    def _listing(self, state: dict[str, Any]) -> ChangePage:
        cards = self._cards(state["listed"])
        more = len(cards) == _PAGE
        position = {"since": state["since"], **({"listed": cards[-1]["id"]} if more else {})}
        found = {card["id"]: _listed(card) for card in cards}
        changes = tuple(each for each in found.values() if isinstance(each, RemoteChange))
        skipped = {identity: each for identity, each in found.items() if isinstance(each, str)}
        return ChangePage(changes=changes, cursor=json.dumps(position), more=more, skipped=skipped)

    def _actions(self, state: dict[str, Any]) -> ChangePage:
        # The newest come first: a poll walks back to `since`, and only then moves it.
        asked = {"filter": _ACTIONS, "fields": "type,date,data", "limit": str(_PAGE), "since": state["since"]}
        if "before" in state:
            asked["before"] = state["before"]
        actions = _newest_first(self._here("GET", f"{self._board}/actions", asked))
        newest = max([state.get("newest", state["since"]), *(action["id"] for action in actions)])
        more = len(actions) == _PAGE
        known = set(state.get("reported", ()))
        reported = known.union(action["id"] for action in actions)
        position = {"since": state["since"], "newest": newest, "before": actions[-1]["id"] if more else ""}
        if not more:
            position = {"since": max(state["since"], min(newest, self._overlap()))}
        again = sorted((identity for identity in reported if identity > position["since"]), reverse=True)
        position["reported"] = again[:_REMEMBERED]
        fresh = [action for action in actions if action["id"] not in known]
        changes = tuple(_change(action) for action in fresh if _touches(action))
        return ChangePage(changes=changes, cursor=json.dumps(position), more=more)

    def _newest_action(self) -> str:
        actions = self._here("GET", f"{self._board}/actions", {"limit": "1", "fields": "type,date"})
        return min([self._overlap(), *(str(action["id"]) for action in actions)])

    def _overlap(self) -> str:
        return f"{int((self._context.now() - _OVERLAP).timestamp()):08x}{'0' * 16}"

    def _cards(self, before: str | None) -> list[dict[str, Any]]:
        asked = {"filter": "all", "fields": _FIELDS, "limit": str(_PAGE)}
        if before:
            asked["before"] = before
        return _newest_first(self._here("GET", f"{self._board}/cards", asked))

    def _fields(self, values: Mapping[str, Any], marker: str | None, labels: Any) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if "title" in values:
            fields["name"] = named(values["title"])
        if "body" in values:
            fields["desc"] = MarkedText(values["body"], marker).text()
        if "scheduled_at" in values:
            due = values["scheduled_at"]
            fields["due"] = None if due is None else format_instant(to_milliseconds(due))
        if "status" in values:
            fields.update(_STATUS[values["status"]])
        if "interaction_type" in values:
            others = [label["id"] for label in labels if not label["name"].startswith(TYPE_LABEL)]
            fields["idLabels"] = ",".join([*others, self._label(TYPE_LABEL + values["interaction_type"])])
        return fields

    def _label(self, name: str) -> str:
        """The id of the board's label of this name, which is made if need be."""
        if name not in self._labels:
            known = self._here("GET", f"{self._board}/labels", {"limit": "1000", "fields": "name"})
            self._labels = {entry["name"]: entry["id"] for entry in reversed(known)}
        if name not in self._labels:
            board = self._full_board_id()
            made = self._here("POST", "/labels", {"name": name, "color": "sky", "idBoard": board})
            self._labels[name] = str(made["id"])
        return self._labels[name]

    def _list_id(self) -> str:
        """The list of a new card. Never kept: Trello adds cards to an archived list without a word."""
        lists = self._here("GET", f"{self._board}/lists", {"filter": "open", "fields": "name"})
        if not lists:
            raise NeedsAuth("the Trello board has no open list; open one, then resume")
        wanted = self._settings.list_id
        if wanted is not None and wanted not in {entry["id"] for entry in lists}:
            raise NeedsAuth("the list that `list_id` names is archived or not there; open it, then resume")
        return wanted or str(lists[0]["id"])

    def _full_board_id(self) -> str:
        """The board's id; the settings may name it by the short one of its address."""
        if self._board_id is None:
            self._board_id = str(self._here("GET", self._board, {"fields": "id"})["id"])
        return self._board_id

    def _card(self, external_id: str, more: Mapping[str, str] | None = None) -> Any | Gone:
        card = self._call("GET", _card_path(external_id), {"fields": _FIELDS, **(more or {})})
        return self._if_here(external_id, card)

    def _written(self, external_id: str, fields: dict[str, Any]) -> RemoteObject | Gone:
        card = self._if_here(external_id, self._call("PUT", _card_path(external_id), fields))
        return card if isinstance(card, Gone) else _object(card, card["dateLastActivity"])

    def _if_here(self, external_id: str, card: Any | Gone | None) -> Any | Gone:
        """The card, unless it is gone or on another board, whose changes nobody reports to us."""
        if card is None:
            return Gone(external_id=external_id)
        if isinstance(card, Gone) or card["idBoard"] != self._full_board_id():
            return Gone(external_id=external_id, elsewhere=_ELSEWHERE)
        return card

    def _here(self, method: str, path: str, fields: Mapping[str, Any]) -> Any:
        answer = self._call(method, path, fields)
        if answer is None or isinstance(answer, Gone):
            raise NeedsAuth("the Trello board is not there any more, or not for this token")
        return answer

    def _call(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> Any | Gone | None:
        """The answer's JSON; ``None`` where there is nothing (404), ``Gone`` where it is hidden from us."""
        answer = self._api.request(method, path, fields)
        if path.startswith("/cards/") and answer.status_code in {401, 403, 404}:
            # Only while the board is there for us does this say something about the one card.
            self._here("GET", self._board, {"fields": "id"})
            if answer.status_code == 401 and "permission" in answer.text:
                return Gone(external_id=path.rpartition("/")[2], elsewhere=_ELSEWHERE)
            if answer.status_code == 403:
                raise self._refusal(answer)
        check_status("Trello", answer, after=10)
        if answer.status_code == 404:
            return None
        if answer.status_code >= 400:
            raise self._refusal(answer)
        try:
            return answer.json()
        except ValueError:
            raise Retry("Trello's answer is no JSON") from None

    def _refusal(self, answer: httpx2.Response) -> Reject | Retry:
        # Only the name of the field is taken from the answer: the rest may repeat a customer's text.
        match = re.match(r"invalid value for (\w+)", answer.text)
        name = match[1] if match else "request"
        if name == "idLabels" and self._labels:
            self._labels = {}
            return Retry("a label we knew was deleted on the Trello board")
        detail = f"Trello refused the card (HTTP {answer.status_code}: {name})"
        return Reject(f"trello_{name}", detail, status=422)


def named(title: str | None) -> str:
    """A card's name: one line, never empty."""
    return one_line(title) or NO_TITLE


def titled(_local: str | None, name: str) -> str | None:
    """The title that a changed name means."""
    return None if name == NO_TITLE else name


def _object(card: Mapping[str, Any], changed_at: str | None) -> RemoteObject:
    if card["isTemplate"]:
        raise Skip("template")
    text = MarkedText.read(card["desc"])
    types = [label["name"] for label in card["labels"] if label["name"].startswith(TYPE_LABEL)]
    status = "done" if card["dueComplete"] else "canceled" if card["closed"] else "planned"
    try:
        due = parse_instant(card["due"]) if card["due"] else None
    except ValueError:
        raise Skip("due before 1900 or after 2199") from None
    return RemoteObject(
        external_id=card["id"],
        url=card["shortUrl"],
        updated_at=parse_instant(changed_at) if changed_at else None,
        # Any archived card is a canceled interaction; the mark of `archive` makes it a deleted one.
        archived=text.deleted and card["closed"],
        marker=text.marker,
        values={
            "title": named(card["name"])[:500].rstrip(),
            "body": plain((text.body or "")[:10_000]),
            "status": status,
            "scheduled_at": due,
            "interaction_type": types[0].removeprefix(TYPE_LABEL) if types else None,
        },
        extra={
            "labels": [{"id": entry["id"], "name": entry["name"]} for entry in card["labels"]],
            "listId": card["idList"],
            "boardId": card["idBoard"],
        },
    )


def _newest_first(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(entries, key=lambda entry: str(entry["id"]), reverse=True)


def _touches(action: Mapping[str, Any]) -> bool:
    """Whether an action may have changed a mirrored field; a move from list to list does not."""
    if action["type"] not in _ACTIONS.split(","):
        return False
    old = action["data"].get("old")
    return old is None or not _MIRRORED.isdisjoint(old)


def _listed(card: Mapping[str, Any]) -> RemoteChange | str:
    """A card of a listing; the reason if it must be left alone."""
    try:
        seen = _object(card, None)
    except Skip as reason:
        return str(reason)
    event = f"{seen.external_id}:{card['dateLastActivity']}"
    return RemoteChange(event_id=event, external_id=seen.external_id, occurred_at=None, state=seen)


def _change(action: Mapping[str, Any]) -> RemoteChange:
    return RemoteChange(
        event_id=action["id"],
        external_id=action["data"]["card"]["id"],
        occurred_at=parse_instant(action["date"]),
        kind="gone" if action["type"] == "deleteCard" else "changed",
    )


def _signature(secret: str, body: bytes, url: str) -> bytes:
    return base64.b64encode(hmac.new(secret.encode(), body + url.encode(), sha1).digest())


def _card_path(identity: str) -> str:
    return f"/cards/{quote(identity, safe='')}"


def _secret(value: SecretStr | None) -> str:
    return "" if value is None else value.get_secret_value()


def _credentials(settings: TrelloSettings, context: ProviderContext) -> Credentials:
    if settings.token is not None:
        key, token = _secret(settings.api_key), _secret(settings.token)
        return StaticHeader(f'OAuth oauth_consumer_key="{key}", oauth_token="{token}"')
    client = {"client_id": settings.client_id or "", "client_secret": _secret(settings.client_secret)}
    access, refresh = _secret(settings.access_token), _secret(settings.refresh_token)
    return OAuthToken("Trello", settings.token_url, client, access, refresh, context)


def _remote(settings: Mapping[str, Any]) -> tuple[str, ...]:
    api_url = settings.get("api_url", TrelloSettings.model_fields["api_url"].default)
    return api_url.rstrip("/"), settings["board_id"]


DECLARATION: Final = Declaration(
    name="trello",
    title="Trello",
    summary="Mirrors interactions as cards of one Trello board, both ways.",
    settings=TrelloSettings,
    make=Trello,
    remote=_remote,
    fields=(
        MirroredField(
            name="title", remote_name="name", coarse=named, refine=titled, loss="One line, never empty."
        ),
        MirroredField(name="body", remote_name="desc", coarse=plain, loss="White space around it is lost."),
        MirroredField(
            name="scheduled_at", remote_name="due", coarse=to_milliseconds, loss="Exact to the millisecond."
        ),
        MirroredField(name="status", remote_name="dueComplete, closed"),
        MirroredField(name="interaction_type", remote_name="label", direction="out"),
    ),
    features=frozenset({"read", "find", "poll", "webhooks"}),
    hosts=lambda _settings: ("trello.com",),
    # The vendor allows a token 100 and a key 300; requests on their way take up a part of that.
    limits=(RateLimit(requests=90, seconds=10), RateLimit(requests=270, seconds=10)),
    guarantees=(
        "Done is the mark on the due date, canceled is archiving; no card is ever deleted.",
        "A deleted interaction's card is archived, and the same card comes back if the deletion is undone.",
        "Names beyond 500 and descriptions beyond 10,000 characters are taken over up to there.",
        "A card that is moved to another board is let go with a warning; moved back, it is linked again.",
        "Labels that people give a card are left alone; the type's label begins with `type:`.",
        "Webhooks are checked by HMAC-SHA1; the board's actions are polled as well, in case one is lost.",
    ),
)
