"""Odd answers of an identity provider: one clear failure each, and none outlasts the answer."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from runtime.gateway_settings import GatewaySettings
from schemas.errors import NeedsAuth, Retry
from web.sign_in import oidc
from web.sign_in.oidc import OidcProvider, session_end_of

DISCOVERY = "/.well-known/openid-configuration"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
DEEP = "[" * 20_000


def key_set(key: rsa.RSAPrivateKey) -> dict[str, Any]:
    public = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {"keys": [{**public, "alg": "RS256", "use": "sig"}]}


class Provider:
    """A provider over HTTP.

    :ivar answers: path → its response; ``None`` never ends one.
    :ivar nonce: of the ID token that the token endpoint returns.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.nonce = ""
        self.key = KEY
        provider, self.closing = self, threading.Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer = provider.answer_to(self.path)
                body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body) if answer is not None else 10_000))
                self.end_headers()
                if answer is not None:
                    self.wfile.write(body)
                while answer is None and not provider.closing.wait(0.05):
                    self.wfile.write(b" ")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.do_GET()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer_to(self, path: str) -> Any:
        if path in self.answers:
            return self.answers[path]
        if path == DISCOVERY:
            return self.discovery()
        if path == "/jwks":
            return key_set(self.key)
        if path == "/token":
            return {"access_token": "a", "token_type": "Bearer", "id_token": self.id_token()}
        return {"sub": "someone", "tenantId": "t"}

    def discovery(self, **changed: Any) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/jwks",
            "end_session_endpoint": f"{self.url}/end",
            **changed,
        }

    def id_token(self) -> str:
        now = int(time.time())
        times = {"iat": now, "exp": now + 60}
        claims = {"iss": self.url, "aud": "pages", "sub": "someone", "nonce": self.nonce, **times}
        return jwt.encode(claims, self.key, algorithm="RS256")

    def __enter__(self) -> Provider:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as found:
        yield found


@pytest.fixture
def pages(provider: Provider) -> OidcProvider:
    return OidcProvider(
        GatewaySettings(
            jwt_secret=SecretStr("s" * 32),
            oidc_issuer=provider.url,
            oidc_client_id="pages",
            oidc_client_secret=SecretStr("a secret"),
            public_url="https://crm.example",
        )
    )


def sign_in(pages: OidcProvider, provider: Provider) -> dict[str, Any]:
    async def steps() -> dict[str, Any]:
        departure = await pages.depart("/backend")
        provider.nonce = departure.record.nonce
        return await pages.arrive(departure.record, departure.record.state, "code")

    return asyncio.run(steps())


@pytest.mark.parametrize(
    "answer",
    [
        "<html>Sign in</html>",
        "",
        "[]",
        "null",
        "1e400",
        DEEP,
        {},
        {"issuer": None},
        {"authorization_endpoint": None},
        {"authorization_endpoint": 5},
        {"id_token_signing_alg_values_supported": 5},
        {"token_endpoint_auth_methods_supported": 5},
        {"client_id": "another"},
    ],
)
def test_a_wrong_discovery_document_is_an_outage(
    provider: Provider, pages: OidcProvider, answer: Any
) -> None:
    odd = answer if isinstance(answer, str) else provider.discovery(**answer) if answer else {}
    provider.answers[DISCOVERY] = odd
    with pytest.raises(Retry):
        asyncio.run(pages.depart("/backend"))
    del provider.answers[DISCOVERY]
    assert sign_in(pages, provider)["sub"] == "someone"


@pytest.mark.parametrize("path", ["/jwks", "/token", "/userinfo"])
@pytest.mark.parametrize(
    "answer",
    ["<html></html>", "[]", "null", '{"keys": 5}', '{"error": {}}', DEEP],
)
def test_one_wrong_answer_refuses_one_sign_in(
    provider: Provider, pages: OidcProvider, path: str, answer: str
) -> None:
    """A wrong key set, above all, is not kept."""
    provider.answers[path] = answer
    with pytest.raises((NeedsAuth, Retry)):
        sign_in(pages, provider)
    del provider.answers[path]
    assert sign_in(pages, provider)["tenantId"] == "t"


@pytest.mark.parametrize("name", ["token_endpoint", "jwks_uri", "userinfo_endpoint"])
@pytest.mark.parametrize("url", [None, 5, "http://[", "http://127.0.0.1:1/"])
def test_a_wrong_address_is_not_kept(provider: Provider, pages: OidcProvider, name: str, url: Any) -> None:
    provider.answers[DISCOVERY] = provider.discovery(**{name: url})
    with pytest.raises((NeedsAuth, Retry)):
        sign_in(pages, provider)
    del provider.answers[DISCOVERY]
    assert sign_in(pages, provider)["tenantId"] == "t"


def test_a_key_that_is_replaced_without_an_id(provider: Provider, pages: OidcProvider) -> None:
    """The first sign-in after the rotation may fail, no other."""
    assert sign_in(pages, provider)
    provider.key = OTHER_KEY
    with pytest.raises(NeedsAuth):
        sign_in(pages, provider)
    assert sign_in(pages, provider)["sub"] == "someone"


@pytest.mark.parametrize("path", [DISCOVERY, "/token", "/jwks", "/userinfo"])
def test_an_answer_without_end(
    provider: Provider, pages: OidcProvider, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte is in time; the answer is not."""
    monkeypatch.setattr(oidc, "_STEP_SECONDS", 0.3)
    provider.answers[path] = None
    with pytest.raises(Retry):
        sign_in(pages, provider)


@pytest.mark.parametrize("endpoint", [5, [], "http://[", {"a": 1}])
def test_sign_out_continues_without_the_provider(
    provider: Provider, pages: OidcProvider, endpoint: Any
) -> None:
    provider.answers[DISCOVERY] = provider.discovery(end_session_endpoint=endpoint)
    found = asyncio.run(pages.sign_out_url())
    assert found is None or found.startswith("http://[")


@pytest.mark.parametrize(
    "text", ["NaN", "1e400", "-1e400", "1" + "0" * 400, "253402300800", "-1", "true", '"7"', "null", "[]"]
)
def test_an_end_of_the_identity_that_no_clock_reaches(text: str) -> None:
    with pytest.raises(NeedsAuth):
        session_end_of(json.loads(f'{{"sessionExpiresAt": {text}}}'))
