"""Trello: an interaction is a card of one board.

Sources: the vendor's REST reference and its pages on authorization, rate limits and webhooks. Three facts
shape this provider:

- Creating a card is not idempotent, so the last line of the description holds our marker.
- Search lags behind writes, so markers are looked up in the board's list of cards.
- ``dateLastActivity`` also moves on comments, so the time of a change comes from the card's actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.providers.trello.board import Board
from connectors.providers.trello.cards import (
    FIELDS,
    card_fields,
    checked_card,
    entries_of,
    is_relevant,
    remote_object,
)
from connectors.providers.trello.polling import poll
from connectors.providers.trello.settings import TrelloSettings, remote_board
from connectors.providers.trello.webhooks import BoardWebhook, verify_and_parse
from connectors.sdk.declaration import Declaration, RateLimit
from connectors.sdk.provider import Provider, ProviderContext
from connectors.sdk.remote import ChangePage, Gone, Health, Intent, RemoteChange, RemoteObject
from connectors.sdk.text_marker import MarkedText
from schemas.errors import NeedsAuth, Reject, Retry


class Trello(Provider):
    """One board."""

    def __init__(self, settings: TrelloSettings, context: ProviderContext) -> None:
        self._settings, self._context = settings, context
        self._board = Board(settings, context)
        self._webhook = BoardWebhook(self._board, context.callback_url)
        self._webhook_problem: str | None = None

    def create(self, intent: Intent) -> RemoteObject:
        fields = self._fields(intent.values, intent.marker, ())
        closed = fields.pop("closed", False)  # Trello ignores it: a new card is always open
        card = self._board.create_card(fields)
        if closed:
            try:
                card = self._board.archive_new_card(card["id"])
            except (NeedsAuth, Reject) as error:
                raise Retry("the card was created, but archiving it failed") from error
        return remote_object(card, card["dateLastActivity"])

    def read(self, external_id: str) -> RemoteObject | Gone:
        card = self._board.card_with_actions(external_id)
        if isinstance(card, Gone):
            return card
        actions = [action for action in entries_of(card.get("actions", [])) if is_relevant(action)]
        return remote_object(card, actions[0].get("date") if actions else card["dateLastActivity"])

    def update(self, external_id: str, changes: Mapping[str, Any], base: RemoteObject) -> RemoteObject | Gone:
        # Hazard: labels can only be replaced all at once, so read the labels that people added first.
        card = self._board.card(external_id) if "interaction_type" in changes else {"labels": ()}
        if isinstance(card, Gone):
            return card
        return self._update(external_id, self._fields(changes, base.marker, card["labels"]))

    def archive(self, external_id: str) -> RemoteObject | Gone:
        card = self._board.card(external_id)
        if isinstance(card, Gone):
            return card
        text = MarkedText.read(card["desc"])
        if text.deleted and card["closed"]:
            return remote_object(card, None)
        desc = MarkedText(text.body, text.marker, deleted=True).text()
        return self._update(external_id, {"closed": True, "desc": desc})

    def erase(self, external_id: str) -> None:
        if not isinstance(self._board.card(external_id), Gone):
            self._board.delete_card(external_id)

    def restore(self, external_id: str, values: Mapping[str, Any]) -> RemoteObject | Gone:
        card = self._board.card(external_id)
        if isinstance(card, Gone):
            return card
        marker = MarkedText.read(card["desc"]).marker
        return self._update(external_id, self._fields(values, marker, card["labels"]))

    def find_by_marker(self, marker: str) -> RemoteObject | None:
        before: str | None = None
        found: RemoteObject | None = None
        while True:
            cards, more = self._board.cards(before)
            for card in cards:  # newest first: the last match is the oldest card
                desc = card.get("desc")
                if isinstance(desc, str) and MarkedText.read(desc).marker == marker:
                    found = remote_object(checked_card(card), None)
            if not more:
                return found
            if before is not None and cards[-1]["id"] >= before:
                raise Retry("Trello's list of cards does not advance")
            before = cards[-1]["id"]

    def changes(self, cursor: str | None) -> ChangePage:
        return poll(self._board, cursor, self._context.now())

    def verify_and_parse_webhook(
        self, headers: Mapping[str, str], raw_body: bytes, url: str
    ) -> list[RemoteChange]:
        return verify_and_parse(self._settings.webhook_secret, headers, raw_body, url)

    def ensure_webhook(self) -> None:
        self._webhook_problem = None
        if not self._settings.webhook_secret:
            self._webhook_problem = "no api_secret is set, so webhooks cannot be verified"
            return
        try:
            self._webhook.ensure()
        except NeedsAuth as error:
            # The credentials are refused only if the board is not accessible either.
            self._board.read("id")
            self._webhook_problem = "Trello does not let this token register webhooks"
            raise Reject("webhook_refused", self._webhook_problem, status=403) from error
        except Reject:
            self._webhook_problem = "Trello refused the webhook's callback URL"
            raise

    def delete_webhook(self) -> None:
        self._webhook.delete()

    def health(self) -> Health:
        if self._board.read("closed")["closed"]:
            return Health(ok=False, detail="The board is closed; reopen it, or set another `board_id`")
        if self._webhook_problem is not None:
            return Health(ok=True, detail=f"Board found; polling only: {self._webhook_problem}")
        return Health(ok=True, detail="Board found")

    def _fields(self, values: Mapping[str, Any], marker: str | None, labels: Any) -> dict[str, Any]:
        fields = card_fields(values, marker)
        if "interaction_type" in values:
            fields["idLabels"] = self._board.label_ids(values["interaction_type"], labels)
        return fields

    def _update(self, external_id: str, fields: dict[str, Any]) -> RemoteObject | Gone:
        card = self._board.update_card(external_id, fields)
        return card if isinstance(card, Gone) else remote_object(card, card["dateLastActivity"])


DECLARATION: Final = Declaration(
    name="trello",
    title="Trello",
    summary="Mirrors interactions as cards of one Trello board, both ways.",
    settings=TrelloSettings,
    make=Trello,
    remote=remote_board,
    fields=FIELDS,
    features=frozenset({"read", "find", "poll", "webhooks"}),
    hosts=lambda _settings: ("trello.com",),
    # The vendor's limits are 100 per token and 300 per key; the margin covers requests in flight.
    limits=(RateLimit(requests=90, seconds=10), RateLimit(requests=270, seconds=10)),
    guarantees=(
        "Done is the due date's check mark, canceled is archiving; no card is ever deleted.",
        "The card of a deleted interaction is archived; undoing the deletion restores the same card.",
        "Names are read up to 500 characters and descriptions up to 10,000.",
        "A card moved to another board is unlinked with a warning, and linked again when it is moved back.",
        "Labels that people add stay; the label of the interaction's type begins with `type:`.",
        "Webhooks are verified by HMAC-SHA1; the board's actions are polled as well, in case one is lost.",
    ),
)
