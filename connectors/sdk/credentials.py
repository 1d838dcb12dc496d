"""Credential strategies: the Authorization header for each request, and how to refresh it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Protocol

from connectors.sdk.http_errors import check_status, send_request
from connectors.sdk.provider import ProviderContext
from schemas.errors import NeedsAuth, Retry


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
        self._unsaved = False

    def header(self) -> str:
        with self._lock:
            if self._unsaved:
                self._save()
            return self._header()

    def _header(self) -> str:
        return f"Bearer {self._access}"

    def refresh(self, used: str) -> bool:
        with self._lock:
            if self._header() != used:
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
            try:
                tokens = answer.json()
                renewed = [tokens["access_token"], tokens.get("refresh_token") or self._refresh]
            except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
                renewed = [None]
            if not all(map(_is_token, renewed)):
                raise Retry(f"{self._title}'s response to the renewal of the token contains no token")
            self._access, self._refresh = renewed
            self._save()
            return True

    def _save(self) -> None:
        # Hazard: the former refresh token may be void. Until the new one is stored, a restart would lose it.
        self._unsaved = True
        self._context.save_secrets(access_token=self._access, refresh_token=self._refresh)
        self._unsaved = False


def _is_token(found: Any) -> bool:
    """RFC 6749, appendices A.12 and A.17: visible ASCII characters."""
    return isinstance(found, str) and found.isascii() and found.isprintable() and bool(found.strip())
