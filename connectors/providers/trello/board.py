"""Requests about one Trello board: its cards, actions, lists and labels."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx2

from connectors.providers.trello.cards import ACTIONS, CARD_FIELDS, TYPE_LABEL, checked_card, entries_of
from connectors.providers.trello.settings import TrelloSettings, credentials
from connectors.sdk.bounded_transport import ResponseTooLarge
from connectors.sdk.http_errors import check_status
from connectors.sdk.json_api import JsonApi
from connectors.sdk.provider import ProviderContext
from connectors.sdk.remote import Gone
from schemas.errors import NeedsAuth, Reject, Retry

#: Largest page that the API returns.
PAGE_SIZE: Final = 1000
_SMALLEST_PAGE: Final = 10
_ELSEWHERE: Final = "the card was moved to another board"


class Board:
    """One board."""

    def __init__(self, settings: TrelloSettings, context: ProviderContext) -> None:
        own_name = {"X-Trello-Client-Identifier": context.integration_id}
        self._api = JsonApi("Trello", settings.api_url, credentials(settings, context), context, own_name)
        self._list_id = settings.list_id
        self._path = f"/boards/{quote(settings.board_id, safe='')}"
        self._id: str | None = None
        self._labels: dict[str, str] = {}
        self._smaller = 1

    def id(self) -> str:
        """The board's long id; the settings may hold the short id from its URL."""
        if self._id is None:
            self._id = str(self.read("id")["id"])
        return self._id

    def read(self, fields: str) -> Any:
        """These fields of the board."""
        board = self.require("GET", self._path, {"fields": fields})
        if not isinstance(board, dict) or fields not in board:
            raise Retry("Trello's response is not a board")
        return board

    def card(self, external_id: str, query: Mapping[str, str] | None = None) -> Any | Gone:
        """A card of this board.

        :param query: further parameters of the request.
        """
        card = self.call("GET", _card_path(external_id), {"fields": CARD_FIELDS, **(query or {})})
        return self._if_on_board(external_id, card)

    def card_with_actions(self, external_id: str) -> Any | Gone:
        """A card of this board with its latest actions, newest first."""
        history = {"actions": ACTIONS, "actions_limit": "50", "action_fields": "type,date,data"}
        return self.card(external_id, history)

    def create_card(self, fields: Mapping[str, Any]) -> Any:
        """Create a card in the list for new cards."""
        return checked_card(self.require("POST", "/cards", {**fields, "idList": self._list_for_new_cards()}))

    def update_card(self, external_id: str, fields: Mapping[str, Any]) -> Any | Gone:
        """Set fields of a card; the card after the change."""
        return self._if_on_board(external_id, self.call("PUT", _card_path(external_id), fields))

    def archive_new_card(self, external_id: str) -> Any:
        """Archive a card that was created just now."""
        return checked_card(self.require("PUT", _card_path(external_id), {"closed": True}))

    def delete_card(self, external_id: str) -> None:
        """Delete a card for good, with its history."""
        self.call("DELETE", _card_path(external_id))

    def cards(self, before: str | None) -> tuple[list[dict[str, Any]], bool]:
        """One page of all cards, newest first, and whether there are more.

        :param before: id of the last card of the previous page.
        """
        query = {"filter": "all", "fields": CARD_FIELDS}
        if before:
            query["before"] = before
        while True:
            size = PAGE_SIZE // self._smaller
            try:
                return self._page(f"{self._path}/cards", query, size)
            except Retry as error:
                # A thousand long descriptions are more than a response may have.
                if not isinstance(error.__cause__, ResponseTooLarge) or size <= _SMALLEST_PAGE:
                    raise
                self._smaller *= 4

    def actions(self, since: str, before: str | None) -> tuple[list[dict[str, Any]], bool]:
        """One page of the actions after ``since``, newest first, and whether there are more.

        :param before: id of the last action of the previous page.
        """
        query = {"filter": ACTIONS, "fields": "type,date,data", "since": since}
        if before is not None:
            query["before"] = before
        return self._page(f"{self._path}/actions", query, PAGE_SIZE)

    def _page(self, path: str, query: Mapping[str, str], size: int) -> tuple[list[dict[str, Any]], bool]:
        found = self.require("GET", path, {**query, "limit": str(size)})
        entries = sorted(entries_of(found), key=lambda entry: str(entry["id"]), reverse=True)
        return entries, bool(entries) and len(found) == size

    def newest_action_ids(self) -> list[str]:
        """The id of the newest action, if there is one."""
        actions = self.require("GET", f"{self._path}/actions", {"limit": "1", "fields": "type,date"})
        return [str(action["id"]) for action in entries_of(actions)]

    def label_ids(self, interaction_type: str, labels: Any) -> str:
        """Label ids of a card with the label of this type; labels that people added stay."""
        others = [label["id"] for label in labels if not label["name"].startswith(TYPE_LABEL)]
        return ",".join([*others, self._label_id(TYPE_LABEL + interaction_type)])

    def _label_id(self, name: str) -> str:
        """The id of the board's label with this name; created if missing."""
        if name not in self._labels:
            known = self.require("GET", f"{self._path}/labels", {"limit": "1000", "fields": "name"})
            self._labels = {str(entry.get("name")): entry["id"] for entry in reversed(entries_of(known))}
        if name not in self._labels:
            made = self.require("POST", "/labels", {"name": name, "color": "sky", "idBoard": self.id()})
            if not entries_of([made]):
                raise Retry("Trello's response is not a label")
            self._labels[name] = made["id"]
        return self._labels[name]

    def _list_for_new_cards(self) -> str:
        # Hazard: do not cache. Trello silently adds cards to an archived list.
        lists = entries_of(self.require("GET", f"{self._path}/lists", {"filter": "open", "fields": "name"}))
        if not lists:
            raise NeedsAuth("the Trello board has no open list; open one, then resume")
        if self._list_id is not None and self._list_id not in {entry["id"] for entry in lists}:
            raise NeedsAuth(
                "the list in `list_id` is archived or missing; reopen it or change `list_id`, then resume"
            )
        return self._list_id or str(lists[0]["id"])

    def _if_on_board(self, external_id: str, card: Any | Gone | None) -> Any | Gone:
        # We receive no changes of cards on other boards.
        if card is None:
            return Gone(external_id=external_id)
        if isinstance(card, Gone):
            return Gone(external_id=external_id, elsewhere=_ELSEWHERE)
        checked = checked_card(card)
        if checked["idBoard"] != self.id():
            return Gone(external_id=external_id, elsewhere=_ELSEWHERE)
        return checked

    def require(self, method: str, path: str, fields: Mapping[str, Any]) -> Any:
        """The JSON of a response that can only be missing together with the board.

        :raises NeedsAuth: the board does not exist, or this token has no access to it.
        :raises Retry: the board exists.
        """
        answer = self.call(method, path, fields)
        if answer is None or isinstance(answer, Gone):
            if path != self._path:
                self.read("id")
                raise Retry("Trello's board exists, and what belongs to it was not found (HTTP 404)")
            raise NeedsAuth(
                "the Trello board does not exist, or this token has no access to it; check both, then resume"
            )
        return answer

    def call(self, method: str, path: str, fields: Mapping[str, Any] | None = None) -> Any | Gone | None:
        """The JSON of a response; ``None`` for 404, ``Gone`` for a card that this token may not see."""
        answer = self._api.request(method, path, fields)
        if path.startswith(("/cards", "/labels")) and answer.status_code in {401, 403, 404}:
            # The status is about this card or label only if the board itself is accessible.
            self.read("id")
            if answer.status_code == 401 and path.startswith("/cards/") and "permission" in answer.text:
                return Gone(external_id=path.rpartition("/")[2], elsewhere=_ELSEWHERE)
            if answer.status_code == 403:
                raise self._refusal(answer)
        check_status("Trello", answer, after=10)
        if answer.status_code == 404:
            return None
        if answer.status_code >= 400:
            raise self._refusal(answer)
        if method == "DELETE" and answer.is_success:
            return {}
        try:
            found = answer.json()
        except (ValueError, RecursionError):
            raise Retry("Trello's response is not JSON") from None
        if found is None or not answer.is_success:
            # Hazard: null must not count as 404, which means that the card was deleted.
            raise Retry(f"Trello's response has no content (HTTP {answer.status_code})")
        return found

    def _refusal(self, answer: httpx2.Response) -> Reject | Retry:
        # Hazard: take only the field's name from the response; the rest may repeat a customer's text.
        match = re.match(r"invalid value for (\w+)", answer.text)
        name = match[1] if match else "request"
        if name == "idLabels" and self._labels:
            self._labels = {}
            return Retry("a cached label was deleted on the Trello board")
        detail = f"Trello refused the card (HTTP {answer.status_code}: {name})"
        return Reject(f"trello_{name}", detail, status=422)


def _card_path(identity: str) -> str:
    return f"/cards/{quote(identity, safe='')}"
