"""A provider connected to a test server, through a client that can lose responses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx2

from connectors.sdk.provider import ProviderContext


class LossyTransport(httpx2.BaseTransport):
    """Transport for real requests that can drop requests, or the responses to writes."""

    def __init__(self, inner: httpx2.BaseTransport | None = None) -> None:
        self._inner = inner or httpx2.HTTPTransport()
        self.down = False
        self.losing = False
        self.refusing = False
        #: Called once, just before the next write is sent: another client is faster.
        self.before_write: Callable[[], object] | None = None
        #: Every request that was sent.
        self.sent: list[httpx2.Request] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.down:
            raise httpx2.ConnectError("down", request=request)
        if self.before_write is not None and request.method not in {"GET", "PROPFIND", "REPORT"}:
            intervene, self.before_write = self.before_write, None
            intervene()
        self.sent.append(request)
        if self.refusing:
            return httpx2.Response(401, request=request)
        answer = self._inner.handle_request(request)
        if self.losing and request.method not in {"GET", "PROPFIND", "REPORT"}:
            answer.read()
            raise httpx2.ReadError("lost", request=request)
        return answer

    def close(self) -> None:
        self._inner.close()

    @contextlib.contextmanager
    def outage(self) -> Iterator[None]:
        """Drop all requests."""
        self.down = True
        try:
            yield
        finally:
            self.down = False

    @contextlib.contextmanager
    def refused(self) -> Iterator[None]:
        """Refuse the credentials, as a proxy in front of a server does."""
        self.refusing = True
        try:
            yield
        finally:
            self.refusing = False

    @contextlib.contextmanager
    def unanswered(self) -> Iterator[None]:
        """Send writes and drop their responses."""
        self.losing = True
        try:
            yield
        finally:
            self.losing = False


class SavedSecrets(dict[str, str]):
    """Store for secrets that a provider renews."""

    def __call__(self, **secrets: str) -> None:
        self.update(secrets)


def context(
    transport: httpx2.BaseTransport,
    *,
    callback_url: str | None = None,
    saved: SavedSecrets | None = None,
) -> ProviderContext:
    """Build the context that the engine passes to a provider; close ``http`` after use."""
    return ProviderContext(
        integration_id="integration-1",
        http=httpx2.Client(transport=transport, timeout=10),
        now=lambda: datetime.now(UTC),
        callback_url=callback_url,
        save_secrets=saved if saved is not None else SavedSecrets(),
    )
