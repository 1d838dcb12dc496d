"""A Trello card as a remote object, and the fields that set its values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connectors.sdk.coarse_forms import one_line, plain, to_milliseconds
from connectors.sdk.declaration import MirroredField
from connectors.sdk.remote import RemoteChange, RemoteObject
from connectors.sdk.text_marker import MarkedText
from schemas.errors import Retry, Skip
from schemas.instants import format_instant, parse_instant

NO_TITLE: Final = "(no title)"
TYPE_LABEL: Final = "type:"
CARD_FIELDS: Final = (
    "name,desc,due,dueComplete,closed,idBoard,idList,labels,shortUrl,isTemplate,dateLastActivity"
)
#: Types of actions that can change a card.
ACTIONS: Final = (
    "createCard,copyCard,emailCard,convertToCardFromCheckItem,moveCardToBoard,moveCardFromBoard,"
    "updateCard,deleteCard"
)
_ID: Final = re.compile(r"[0-9A-Za-z]{1,64}")
#: Types of a card's fields.
_TYPES: Final[dict[str, tuple[type, ...]]] = {
    **dict.fromkeys(("name", "desc", "idBoard", "idList", "shortUrl"), (str,)),
    **dict.fromkeys(("due", "dateLastActivity"), (str, type(None))),
    **dict.fromkeys(("dueComplete", "closed", "isTemplate"), (bool,)),
}
_MIRRORED: Final = frozenset({"name", "desc", "due", "dueComplete", "closed", "isTemplate"})
_STATUS: Final[dict[str, dict[str, bool]]] = {
    "planned": {"dueComplete": False, "closed": False},
    "done": {"dueComplete": True, "closed": False},
    "canceled": {"dueComplete": False, "closed": True},
}


def to_name(title: str | None) -> str:
    """A card's name: one line, never empty."""
    return one_line(title) or NO_TITLE


def to_title(_local: str | None, name: str) -> str | None:
    """The title for a changed name."""
    return None if name == NO_TITLE else name


FIELDS: Final = (
    MirroredField(
        name="title", remote_name="name", coarse=to_name, refine=to_title, loss="One line, never empty."
    ),
    MirroredField(
        name="body", remote_name="desc", coarse=plain, loss="Leading and trailing white space is lost."
    ),
    MirroredField(
        name="scheduled_at", remote_name="due", coarse=to_milliseconds, loss="Precise to the millisecond."
    ),
    MirroredField(name="status", remote_name="dueComplete, closed"),
    MirroredField(name="interaction_type", remote_name="label", direction="out"),
)


def entries_of(found: Any) -> list[dict[str, Any]]:
    """Entries of a list that have an id; others cannot be named, and must not fail the whole list.

    :raises Retry: it is no list: not Trello has answered, or it is out of order.
    """
    if not isinstance(found, list):
        raise Retry("Trello's response is not a list")
    return [entry for entry in found if isinstance(entry, dict) and is_id(entry.get("id"))]


def is_id(found: Any) -> bool:
    """Report whether this can be an id of Trello's."""
    return isinstance(found, str) and _ID.fullmatch(found) is not None


def checked_card(card: Any) -> dict[str, Any]:
    """A card with the fields that are read, each of its type.

    :raises Retry: a field is missing or of another type: not Trello has answered, or it is out of order.
    """
    wrong = _wrong_field(card)
    if wrong is not None:
        raise Retry(f"Trello's response is not a card ({wrong})")
    checked: dict[str, Any] = card
    labels = [{"id": entry["id"], "name": one_line(entry["name"]) or ""} for entry in checked["labels"]]
    return {**checked, "labels": labels}


def _wrong_field(card: Any) -> str | None:
    if not isinstance(card, dict) or not is_id(card.get("id")):
        return "id"
    labels = card.get("labels")
    if not isinstance(labels, list) or not all(_is_label(entry) for entry in labels):
        return "labels"
    return next((name for name, types in _TYPES.items() if not isinstance(card.get(name, ...), types)), None)


def _is_label(entry: Any) -> bool:
    named = isinstance(entry, dict) and isinstance(entry.get("name", ...), str | None)
    return named and is_id(entry.get("id"))


def remote_object(card: Mapping[str, Any], changed_at: str | None) -> RemoteObject:
    """A card as a remote object.

    :param changed_at: time of the last change to a mirrored field, if known.
    :raises Skip: the card cannot be mirrored; the message is the reason.
    """
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
        updated_at=_instant(changed_at),
        # Archived alone means canceled; the mark that `archive` writes makes it deleted.
        archived=text.deleted and card["closed"],
        marker=text.marker,
        values={
            "title": to_name(card["name"])[:500].rstrip(),
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


def card_fields(values: Mapping[str, Any], marker: str | None) -> dict[str, Any]:
    """The card's fields for these values; all but the label of ``interaction_type``."""
    fields: dict[str, Any] = {}
    if "title" in values:
        fields["name"] = to_name(values["title"])
    if "body" in values:
        fields["desc"] = MarkedText(values["body"], marker).text()
    if "scheduled_at" in values:
        due = values["scheduled_at"]
        fields["due"] = None if due is None else format_instant(to_milliseconds(due))
    if "status" in values:
        fields.update(_STATUS[values["status"]])
    return fields


def is_relevant(action: Mapping[str, Any]) -> bool:
    """Return whether an action may have changed a mirrored field; a move between lists does not."""
    if action.get("type") not in ACTIONS.split(","):
        return False
    data = action.get("data")
    old = data.get("old") if isinstance(data, dict) else None
    return not isinstance(old, dict) or not _MIRRORED.isdisjoint(old)


def change_of(action: Mapping[str, Any]) -> RemoteChange | None:
    """An action as a change; ``None`` if it changed nothing mirrored, or names no card."""
    data = action.get("data")
    card = data.get("card") if isinstance(data, dict) else None
    identity = card.get("id") if isinstance(card, dict) else None
    if not is_id(identity) or not is_id(action.get("id")) or not is_relevant(action):
        return None
    return RemoteChange(
        event_id=action["id"],
        external_id=str(identity),
        occurred_at=_instant(action.get("date")),
        kind="gone" if action["type"] == "deleteCard" else "changed",
    )


def _instant(text: Any) -> datetime | None:
    try:
        return parse_instant(text) if isinstance(text, str) else None
    except ValueError:
        return None


def listed_change(card: Mapping[str, Any]) -> RemoteChange | str:
    """A card of a full listing as a change; the reason if it must be skipped."""
    try:
        found = remote_object(checked_card(card), None)
    except Skip as reason:
        return str(reason)
    except Retry:
        return "unreadable"
    event = f"{found.external_id}:{card['dateLastActivity']}"
    return RemoteChange(event_id=event, external_id=found.external_id, occurred_at=None, state=found)
