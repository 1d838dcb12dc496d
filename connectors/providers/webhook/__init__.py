"""Outgoing webhooks: changes of interactions, and a daily digest, as signed POST requests."""

from connectors.providers.webhook.provider import DECLARATION
from connectors.providers.webhook.settings import WebhookSettings

__all__ = ["DECLARATION", "WebhookSettings"]
