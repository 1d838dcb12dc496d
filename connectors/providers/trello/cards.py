"""A Trello card as a remote object, and the fields that set its values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connectors.sdk.coarse_forms import one_line, plain, to_milliseconds
from connectors.sdk.declaration import MirroredField
from connectors.sdk.remote import RemoteChange, RemoteObject
from connectors.sdk.text_marker import MarkedText
from schemas.errors import Skip
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
        updated_at=parse_instant(changed_at) if changed_at else None,
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
    if action["type"] not in ACTIONS.split(","):
        return False
    old = action["data"].get("old")
    return old is None or not _MIRRORED.isdisjoint(old)


def change_of(action: Mapping[str, Any]) -> RemoteChange:
    """An action as a change."""
    return RemoteChange(
        event_id=action["id"],
        external_id=action["data"]["card"]["id"],
        occurred_at=parse_instant(action["date"]),
        kind="gone" if action["type"] == "deleteCard" else "changed",
    )


def listed_change(card: Mapping[str, Any]) -> RemoteChange | str:
    """A card of a full listing as a change; the reason if it must be skipped."""
    try:
        found = remote_object(card, None)
    except Skip as reason:
        return str(reason)
    event = f"{found.external_id}:{card['dateLastActivity']}"
    return RemoteChange(event_id=event, external_id=found.external_id, occurred_at=None, state=found)
