"""Trello provider: interactions as cards of one board."""

from connectors.providers.trello.provider import DECLARATION, TrelloSettings

__all__ = ["DECLARATION", "TrelloSettings"]
