"""Polling of a Trello board: a full listing of its cards first, then the actions since."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.providers.trello.board import Board
from connectors.providers.trello.cards import change_of, listed_change
from connectors.sdk.remote import ChangePage, RemoteChange

#: Hazard: actions within one second may become visible out of id order, so each poll overlaps the previous
#: one by this much. The cursor holds the ids reported in the overlap, so no action is reported twice.
_OVERLAP: Final = timedelta(seconds=60)
_MAX_REPORTED_IDS: Final = 2000


def poll(board: Board, cursor: str | None, now: datetime) -> ChangePage:
    """Changes since a cursor; without one, a full listing.

    :param now: the current time.
    """
    state = _state_of(cursor)
    began = state is None
    if state is None:
        state = {"since": min([_overlap_start(now), *board.newest_action_ids()]), "listed": None}
    page = _list_cards(board, state) if "listed" in state else _list_actions(board, state, now)
    return replace(page, starts_full_listing=began)


def _state_of(cursor: str | None) -> dict[str, Any] | None:
    """State in a cursor; ``None`` without one, and for one of another version: the listing starts over."""
    try:
        state = json.loads(cursor or "null")
    except (ValueError, RecursionError):
        return None
    usable = isinstance(state, dict) and isinstance(state.get("since"), str)
    return state if usable and isinstance(state.get("reported", []), list) else None


def _list_cards(board: Board, state: dict[str, Any]) -> ChangePage:
    cards, more = board.cards(state["listed"])
    position = {"since": state["since"], **({"listed": cards[-1]["id"]} if more else {})}
    found = {card["id"]: listed_change(card) for card in cards}
    changes = tuple(each for each in found.values() if isinstance(each, RemoteChange))
    skipped = {identity: each for identity, each in found.items() if isinstance(each, str)}
    return ChangePage(changes=changes, cursor=json.dumps(position), more=more, skipped=skipped)


def _list_actions(board: Board, state: dict[str, Any], now: datetime) -> ChangePage:
    # Pages arrive newest first: a poll walks back to `since`, and only then advances it.
    actions, more = board.actions(state["since"], state.get("before"))
    newest = max([state.get("newest", state["since"]), *(action["id"] for action in actions)])
    known = set(state.get("reported", ()))
    reported = known.union(action["id"] for action in actions)
    position = {"since": state["since"], "newest": newest, "before": actions[-1]["id"] if more else ""}
    if not more:
        position = {"since": max(state["since"], min(newest, _overlap_start(now)))}
    overlapping = sorted((identity for identity in reported if identity > position["since"]), reverse=True)
    position["reported"] = overlapping[:_MAX_REPORTED_IDS]
    fresh = [action for action in actions if action["id"] not in known]
    changes = tuple(change for action in fresh if (change := change_of(action)) is not None)
    return ChangePage(changes=changes, cursor=json.dumps(position), more=more)


def _overlap_start(now: datetime) -> str:
    """The smallest action id of the overlap; ids begin with their time in hexadecimal seconds."""
    return f"{int((now - _OVERLAP).timestamp()):08x}{'0' * 16}"
