"""Simulated Trello board, as the vendor documents it, without HTTP.

Every change records an action. ``dateLastActivity`` also moves on comments. Ids are Mongo object ids, whose
first eight hex digits are seconds.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Card = dict[str, Any]
Action = dict[str, Any]


class Refused(Exception):
    """Trello's plain-text error.

    :param status: the HTTP status.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class TrelloBoard:
    """One board with two lists. Every public method acquires the lock.

    :param now: the vendor's clock, seconds since 1970.
    :param on_action: called with each action and the client identifier of the request that caused it.
    """

    def __init__(self, now: Callable[[], float], on_action: Callable[[Action, str | None], None]) -> None:
        self._now = now
        self._on_action = on_action
        self._numbers = itertools.count(1)
        self.lock = threading.RLock()
        self.id = self.new_id()
        self.name = "Follow-ups"
        self.closed = False
        self.lists = [{"id": self.new_id(), "name": name, "closed": False} for name in ("To do", "Doing")]
        self.labels: list[dict[str, Any]] = []
        self.cards: dict[str, Card] = {}
        self.actions: list[Action] = []

    def new_id(self) -> str:
        """A Mongo object id: seconds, machine, counter."""
        return f"{int(self._now()):08x}a1b2c3d4e5{next(self._numbers) & 0xFFFFFF:06x}"

    def create_card(self, fields: dict[str, Any], *, client: str | None = None) -> Card:
        """Create a card; Trello creates one per request, even for a repeated one."""
        with self.lock:
            values = {"name": "", "desc": "", "due": None, "dueComplete": False, "idLabels": [], **fields}
            self._check(values)
            if values.get("idList") not in {entry["id"] for entry in self.lists}:
                raise Refused(400, "invalid value for idList")
            identity = self.new_id()
            number = len(self.cards) + 1
            card: Card = {
                "id": identity,
                "idBoard": self.id,
                "idShort": number,
                "shortLink": identity[-8:],
                "shortUrl": f"https://trello.com/c/{identity[-8:]}",
                "url": f"https://trello.com/c/{identity[-8:]}/{number}-card",
                "closed": False,
                "isTemplate": False,
                "start": None,
                "pos": number * 16384,
                **values,
            }
            self.cards[identity] = card
            self._record("createCard", card, {}, client)
            return self.shown(card)

    def update_card(self, identity: str, fields: dict[str, Any], *, client: str | None = None) -> Card:
        """Change a card; a field set to its current value records no action."""
        with self.lock:
            card = self._card(identity)
            self._check(fields)
            labels = fields.pop("idLabels", card["idLabels"])
            for label in sorted({*labels} ^ {*card["idLabels"]}):
                self.set_label(identity, label, on=label in labels, client=client)
            old = {name: card[name] for name, value in fields.items() if card[name] != value}
            card.update(fields)
            if old:
                self._record("updateCard", card, old, client)
            return self.shown(card)

    def move_card(self, identity: str, board: str | None) -> None:
        """Move a card to another board visible to this token; ``None`` moves it back."""
        with self.lock:
            card = self._card(identity)
            card["idBoard"] = board or self.id
            self._record("moveCardFromBoard" if board else "moveCardToBoard", card, None, None)

    def delete_card(self, identity: str, *, client: str | None = None) -> None:
        """Delete permanently; the action carries hardly any data of the card."""
        with self.lock:
            card = self._card(identity)
            del self.cards[identity]
            self._record("deleteCard", card, None, client)

    def comment(self, identity: str, text: str = "a comment") -> None:
        """Comment on a card: moves ``dateLastActivity``, changes nothing else."""
        with self.lock:
            self._record("commentCard", self._card(identity), None, None, text=text)

    def set_label(self, identity: str, label: str, *, on: bool, client: str | None = None) -> None:
        """Add a label to a card, or remove it."""
        with self.lock:
            card = self._card(identity)
            if label not in {entry["id"] for entry in self.labels}:
                raise Refused(400, "invalid value for value")
            if on == (label in card["idLabels"]):
                if on:
                    raise Refused(400, "that label is already on the card")
                raise Refused(404, "label not found on card")
            card["idLabels"] = (
                [*card["idLabels"], label] if on else [i for i in card["idLabels"] if i != label]
            )
            self._record("addLabelToCard" if on else "removeLabelFromCard", card, None, client)

    def create_label(self, name: str, color: str | None) -> dict[str, Any]:
        """Create a label; Trello allows several with one name."""
        with self.lock:
            label = {"id": self.new_id(), "idBoard": self.id, "name": name, "color": color}
            self.labels.append(label)
            return label

    def shown(self, card: Card) -> Card:
        """A card as the API returns it, with its labels and the time of its last action of any kind."""
        labels = [entry for entry in self.labels if entry["id"] in card["idLabels"]]
        return {**card, "labels": labels, "dateLastActivity": self.actions_of(card["id"])[-1]["date"]}

    def card(self, identity: str) -> Card:
        """One card as the API returns it."""
        with self.lock:
            return self.shown(self._card(identity))

    def actions_of(self, identity: str) -> list[Action]:
        """A card's actions, oldest first."""
        return [action for action in self.actions if action["data"]["card"]["id"] == identity]

    def _card(self, identity: str) -> Card:
        if identity not in self.cards:
            raise Refused(404, "The requested resource was not found.")
        return self.cards[identity]

    def _check(self, fields: dict[str, Any]) -> None:
        if "name" in fields:
            fields["name"] = str(fields["name"]).strip()
            if not 0 < len(fields["name"]) <= 16384:
                raise Refused(400, "invalid value for name")
        if "desc" in fields and len(fields["desc"]) > 16384:
            raise Refused(400, "invalid value for desc")
        for name in ("dueComplete", "closed"):
            if name in fields and not isinstance(fields[name], bool):
                raise Refused(400, f"invalid value for {name}")
        known = {entry["id"] for entry in self.labels}
        if not set(fields.get("idLabels", ())) <= known:
            raise Refused(400, "invalid value for idLabels")

    def _record(
        self, kind: str, card: Card, old: dict[str, Any] | None, client: str | None, **data: Any
    ) -> None:
        told: dict[str, Any] = {"id": card["id"], "idShort": card["idShort"], "shortLink": card["shortLink"]}
        if kind != "deleteCard":
            told["name"] = card["name"]
        if old:
            told.update({name: card[name] for name in old})
            data["old"] = old
        moment = datetime.fromtimestamp(self._now(), UTC)
        action: Action = {
            "id": self.new_id(),
            "type": kind,
            "date": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z",
            "idMemberCreator": "5f0000000000000000000001",
            "data": {"board": {"id": self.id, "name": self.name}, "card": told, **data},
        }
        self.actions.append(action)
        self._on_action(action, client)
