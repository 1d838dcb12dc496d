"""Settings of a Trello integration, and the credentials they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, SecretStr, model_validator

from connectors.sdk.credentials import Credentials, OAuthToken, StaticHeader
from connectors.sdk.declaration import ProviderSettings
from connectors.sdk.provider import ProviderContext


class TrelloSettings(ProviderSettings):
    """A board, and either an API key with a token or the tokens of an OAuth 2.0 client."""

    board_id: str = Field(min_length=1, description="The board's id, or the short id from its URL")
    list_id: str | None = Field(None, description="List for new cards; the first open list if not set")
    api_key: SecretStr | None = Field(None, description="API key of your Trello app; requires `token`")
    token: SecretStr | None = Field(None, description="Token of the member that the connector acts for")
    api_secret: SecretStr | None = Field(None, description="Secret of your app, to verify webhooks")
    client_id: str | None = Field(None, description="OAuth 2.0 client id, instead of `api_key` and `token`")
    client_secret: SecretStr | None = Field(None, description="OAuth 2.0 client secret")
    access_token: SecretStr | None = Field(None, description="OAuth 2.0 access token; renewed automatically")
    refresh_token: SecretStr | None = Field(
        None, description="OAuth 2.0 refresh token; renewed automatically"
    )
    api_url: str = Field("https://api.trello.com/1", description="Base URL of the API")
    token_url: str = Field("https://auth.atlassian.com/oauth/token", description="OAuth 2.0 token endpoint")

    @model_validator(mode="after")
    def _one_kind_of_credentials(self) -> TrelloSettings:
        static = self.api_key is not None and self.token is not None
        if static == (self.client_id is not None and self.refresh_token is not None):
            raise ValueError("give either api_key and token, or client_id, client_secret and refresh_token")
        return self

    @property
    def webhook_secret(self) -> str:
        """The secret that signs webhooks; empty if not set."""
        return _reveal(self.api_secret or self.client_secret)


def credentials(settings: TrelloSettings, context: ProviderContext) -> Credentials:
    """Credentials from the settings: an API key with a token, or OAuth 2.0 tokens."""
    if settings.token is not None:
        key, token = _reveal(settings.api_key), _reveal(settings.token)
        return StaticHeader(f'OAuth oauth_consumer_key="{key}", oauth_token="{token}"')
    client = {"client_id": settings.client_id or "", "client_secret": _reveal(settings.client_secret)}
    access, refresh = _reveal(settings.access_token), _reveal(settings.refresh_token)
    return OAuthToken("Trello", settings.token_url, client, access, refresh, context)


def remote_board(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Identity of the board, from the stored settings.

    Hazard: a board's short id and its long id count as two boards; the stored settings cannot tell.
    """
    api_url = settings.get("api_url", TrelloSettings.model_fields["api_url"].default)
    return api_url.rstrip("/"), settings["board_id"]


def _reveal(value: SecretStr | None) -> str:
    return "" if value is None else value.get_secret_value()
