"""Odd discovery documents: each counts as an unavailable provider, and none is kept."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr

from runtime.gateway_settings import GatewaySettings
from schemas.errors import Retry
from tests.harness.hostile_server import Conversation, HostileServer, answering, hostile
from web.sign_in import oidc
from web.sign_in.oidc import OidcProvider


def _answer(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Connection: close\r\n\r\n" + body


def _document(server: HostileServer, **members: Any) -> bytes:
    usual = {
        "issuer": server.url,
        "authorization_endpoint": f"{server.url}/authorize",
        "token_endpoint": f"{server.url}/token",
        "jwks_uri": f"{server.url}/keys",
    }
    return json.dumps({**usual, **members}).encode()


def _provider(server: HostileServer) -> OidcProvider:
    return OidcProvider(
        GatewaySettings(
            oidc_issuer=server.url,
            oidc_client_id="c",
            oidc_client_secret=SecretStr("s"),
            public_url="https://us.example",
        )
    )


def _depart(provider: OidcProvider) -> str:
    return asyncio.run(provider.depart("/")).url


@pytest.mark.parametrize(
    "body", [b"null", b"[]", b"7", b'"x"', b"{}", b"<html>", b"[" * 50_000, b"\xff", b""]
)
def test_what_is_no_document_counts_as_unavailable(body: bytes) -> None:
    with hostile(answering(_answer(body))) as server:
        provider = _provider(server)
        with pytest.raises(Retry, match="unavailable"):
            _depart(provider)
        assert asyncio.run(provider.sign_out_url()) is None


@pytest.mark.parametrize(
    "members",
    [
        {"authorization_endpoint": None}, {"authorization_endpoint": 7}, {"token_endpoint": "file:///etc/passwd"},
        {"jwks_uri": {}}, {"id_token_signing_alg_values_supported": 5}, {"issuer": ["x"]},
        {"token_endpoint_auth_methods_supported": 7},
    ],
)  # fmt: skip
def test_a_document_that_cannot_be_used_is_not_kept(members: dict[str, Any]) -> None:
    bodies: list[Callable[[], bytes]] = [lambda: _document(server, **members), lambda: _document(server)]

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.say(_answer(bodies.pop(0)()))

    with hostile(script) as server:
        provider = _provider(server)
        with pytest.raises(Retry, match="unavailable"):
            _depart(provider)
        assert _depart(provider).startswith(f"{server.url}/authorize?")


def test_a_provider_that_sends_a_byte_at_a_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oidc, "_EXCHANGES_SECONDS", 0.3)

    def script(conversation: Conversation) -> None:
        conversation.request()
        conversation.say(b"HTTP/1.1 200 OK\r\n")
        conversation.drip(b"X-More: 1\r\n")

    with hostile(script) as server, pytest.raises(Retry, match="unavailable"):
        _depart(_provider(server))
