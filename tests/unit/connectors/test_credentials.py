"""Renewal of an OAuth token: odd answers are retried, and a renewed token is stored before it is used."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from connectors.sdk.credentials import OAuthToken
from connectors.sdk.provider import ProviderContext
from schemas.errors import Retry


class _Store:
    """Secrets as stored; the first ``failures`` writes fail."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.kept: dict[str, str] = {}

    def __call__(self, **secrets: str) -> None:
        if self.failures:
            self.failures -= 1
            raise Retry("the database is away")
        self.kept = secrets


def _token(store: _Store, **answer: Any) -> OAuthToken:
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, **answer))
    context = ProviderContext(
        integration_id="board",
        http=httpx2.Client(transport=transport),
        now=lambda: datetime.now(UTC),
        callback_url=None,
        save_secrets=store,
    )
    return OAuthToken("Trello", "https://auth.example/token", {"client_id": "c"}, "old", "r-1", context)


@pytest.mark.parametrize(
    "body",
    [
        b"<html>", b"", b"\xff", b"null", b"[]", b"7", b'"x"', b"{}", b"[" * 50_000, b'{"access_token": 7}',
        b'{"access_token": ""}', b'{"access_token": "a\\r\\nX: y"}', b'{"access_token": "\\u00e9"}',
        b'{"access_token": "a", "refresh_token": {"x": 1}}',
    ],
)  # fmt: skip
def test_an_answer_without_a_token_is_retried_and_changes_nothing(body: bytes) -> None:
    store = _Store()
    token = _token(store, content=body)
    with pytest.raises(Retry, match="contains no token"):
        token.refresh(token.header())
    assert token.header() == "Bearer old"
    assert store.kept == {}


@pytest.mark.parametrize("refresh", [{}, {"refresh_token": None}])
def test_a_refresh_token_that_is_not_renewed_stays(refresh: dict[str, Any]) -> None:
    store = _Store()
    token = _token(store, json={"access_token": "new", **refresh})
    assert token.refresh(token.header())
    assert store.kept == {"access_token": "new", "refresh_token": "r-1"}


def test_a_renewed_token_that_was_not_stored_is_stored_by_the_next_call() -> None:
    store = _Store(failures=1)
    token = _token(store, json={"access_token": "new", "refresh_token": "r-2"})
    used = token.header()
    with pytest.raises(Retry):
        token.refresh(used)
    assert token.header() == "Bearer new"
    assert store.kept == {"access_token": "new", "refresh_token": "r-2"}
