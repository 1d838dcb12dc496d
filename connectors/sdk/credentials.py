"""Credential strategies: the Authorization header for each request, and how to refresh it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

from connectors.sdk.http_errors import check_status, send_request
from connectors.sdk.provider import ProviderContext
from schemas.errors import NeedsAuth


class Credentials(Protocol):
    """Authorization of requests."""

    def header(self) -> str:
        """The value of the Authorization header."""
        ...

    def refresh(self, used: str) -> bool:
        """Obtain other credentials after the header ``used`` was refused.

        :returns: ``True`` if there are new credentials to retry with.
        :raises Retry: the refresh failed for the moment.
        """
        ...


@dataclass(frozen=True, slots=True)
class StaticHeader:
    """A fixed header: a token that cannot be refreshed, though it may expire or be revoked."""

    value: str

    def header(self) -> str:
        return self.value

    def refresh(self, used: str) -> bool:
        return used != self.value


class OAuthToken:
    """OAuth 2.0 access token with refresh (RFC 6749 section 6); the refresh token may rotate.

    :param title: display name of the provider.
    :param url: the token endpoint.
    :param client: ``client_id`` and, for a confidential client, ``client_secret``.
    """

    def __init__(
        self,
        title: str,
        url: str,
        client: dict[str, str],
        access: str,
        refresh: str,
        context: ProviderContext,
    ) -> None:
        self._title, self._url, self._client, self._context = title, url, client, context
        self._access, self._refresh = access, refresh
        self._lock = threading.Lock()

    def header(self) -> str:
        return f"Bearer {self._access}"

    def refresh(self, used: str) -> bool:
        with self._lock:
            if self.header() != used:
                return True  # another thread has refreshed; a second refresh would invalidate its tokens
            grant = {"grant_type": "refresh_token", "refresh_token": self._refresh, **self._client}
            try:
                answer = check_status(
                    self._title,
                    send_request(self._title, lambda: self._context.http.post(self._url, json=grant)),
                )
            except NeedsAuth:
                return False
            if answer.status_code != 200:
                return False
            tokens = answer.json()
            self._access, self._refresh = tokens["access_token"], tokens.get("refresh_token", self._refresh)
            self._context.save_secrets(access_token=self._access, refresh_token=self._refresh)
            return True
