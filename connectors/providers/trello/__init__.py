"""Trello provider: interactions as cards of one board."""

from connectors.providers.trello.provider import DECLARATION
from connectors.providers.trello.settings import TrelloSettings

__all__ = ["DECLARATION", "TrelloSettings"]
