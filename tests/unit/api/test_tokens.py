"""Token verification: accepted algorithms, required claims, features."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import SecretStr

from api.principal import Principal
from api.signing_keys import SigningKeys
from api.tokens import TokenVerifier
from runtime.gateway_settings import GatewaySettings, read_gateway_settings
from schemas.errors import NeedsAuth, Retry, Stop

SECRET = "a secret of thirty-two bytes or more"
CLAIMS: dict[str, Any] = {
    "sub": "someone",
    "tenantId": "AAAAAAAA-0000-4000-8000-000000000001",
    "organizationId": "bbbbbbbb-0000-4000-8000-000000000001",
    "features": ["customers.view"],
}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC = jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True)


class Keys:
    """A key set with one key."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self.asked = 0

    def get_signing_keys(self, refresh: bool = False) -> list[jwt.PyJWK]:
        self.asked += 1
        if self._failure is not None:
            raise self._failure
        return [jwt.PyJWK.from_dict({**PUBLIC, "alg": "RS256"})]

    def get_signing_key(self, kid: str) -> jwt.PyJWK:
        return jwt.PyJWK.from_dict({**PUBLIC, "alg": "RS256"})


def _settings(**fields: Any) -> GatewaySettings:
    return GatewaySettings(**{"jwt_secret": SecretStr(SECRET), **fields})


def _verify(tokens: TokenVerifier, token: str) -> Principal:
    return asyncio.run(tokens.verify(token))


def _claims(**changes: Any) -> dict[str, Any]:
    return {**CLAIMS, "exp": int(time.time()) + 60, **changes}


def test_a_token_signed_with_the_secret() -> None:
    who = _verify(TokenVerifier(_settings()), jwt.encode(_claims(), SECRET))
    assert who.tenant_id == "aaaaaaaa-0000-4000-8000-000000000001", "ids are compared in lower case"
    assert (who.subject, who.features) == ("someone", frozenset({"customers.view"}))


def test_a_token_signed_with_a_key_of_the_set() -> None:
    token = jwt.encode(_claims(), KEY, algorithm="RS256")
    assert _verify(TokenVerifier(_settings(jwt_secret=None), Keys()), token).subject == "someone"


def test_a_public_key_is_never_taken_for_a_secret() -> None:
    """RFC 8725, section 2.1: a token signed by HMAC with the public key as its secret."""
    public = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    import hashlib
    import hmac

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(_claims()).encode())
    forged = signed + b"." + part(hmac.new(public, signed, hashlib.sha256).digest())
    with pytest.raises(NeedsAuth):
        _verify(TokenVerifier(_settings(jwt_secret=None), Keys()), forged.decode())


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 60},
        {"nbf": int(time.time()) + 86_400},
        {"sub": ""},
        {"sub": "x" * 101},
        {"tenantId": None},
        {"organizationId": "1"},
        {"features": {"customers.view": True}},
        {"exp": str(int(time.time()) + 60)},
        {"exp": True},
        {"exp": 1e308},
        {"exp": float("inf")},
        {"exp": float("nan")},
        {"tenantId": CLAIMS["tenantId"] + "\n"},
        {"organizationId": CLAIMS["organizationId"] + "\n"},
        {"sub": "\ud800"},
        {"sub": "a\x00"},
        {"sub": "ann\n"},
        {"sub": " ann"},
        {"sub": "an\x85n"},
    ],
)
def test_invalid_claims_are_rejected(changes: dict[str, Any]) -> None:
    with pytest.raises(NeedsAuth):
        _verify(TokenVerifier(_settings()), jwt.encode(_claims(**changes), SECRET))


def test_features_that_cannot_be_stored_are_not_granted() -> None:
    """A session of the pages stores them."""
    features = ["customers.view", "a\x00", "\ud800", 7, None]
    found = _verify(TokenVerifier(_settings()), jwt.encode(_claims(features=features), SECRET))
    assert found.features == {"customers.view"}


@pytest.mark.parametrize(
    "header",
    ["[" * 20_000, '{"alg": ["HS256"]}', '{"alg": 1}', '{"alg": "HS256", "crit": ["x"]}', '"HS256"', "{}"],
)
def test_a_header_that_cannot_be_read_is_refused(header: str) -> None:
    head = base64.urlsafe_b64encode(header.encode()).rstrip(b"=").decode()
    for tokens in (TokenVerifier(_settings()), TokenVerifier(_settings(jwt_secret=None), Keys())):
        with pytest.raises(NeedsAuth):
            _verify(tokens, f"{head}.e30.c2ln")


def test_a_key_of_another_kind_than_the_token_says_is_refused() -> None:
    other = jwt.encode(_claims(), ec.generate_private_key(ec.SECP256R1()), algorithm="ES256")
    with pytest.raises(NeedsAuth):
        _verify(TokenVerifier(_settings(jwt_secret=None), Keys()), other)


def test_a_token_says_when_it_expires() -> None:
    end = int(time.time()) + 60
    assert _verify(TokenVerifier(_settings()), jwt.encode(_claims(exp=end), SECRET)).expires_at == end
    assert (
        _verify(TokenVerifier(_settings()), jwt.encode(_claims(exp=end + 0.5), SECRET)).expires_at
        == end + 0.5
    )


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as found:
        yield found


class Provider:
    """The key set of an identity provider over HTTP. The test sets its responses."""

    def __init__(self) -> None:
        self.answer = b""
        self.part, self.pause = 2**30, 0.0
        self.closing = threading.Event()
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(provider.answer)))
                self.end_headers()
                for at in range(0, len(provider.answer), provider.part):
                    self.wfile.write(provider.answer[at : at + provider.part])
                    if provider.closing.wait(provider.pause):
                        return

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/jwks"

    def __enter__(self) -> Provider:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.mark.parametrize(
    "answer",
    [
        "<html>Sign in</html>",
        "",
        "[]",
        "null",
        '{"keys": []}',
        '{"keys": null}',
        '{"keys": [{"kty": "RSA", "kid": "one", "n": "!", "e": "!"}]}',
        '{"keys": [{"kty": "none", "kid": "one"}]}',
        "[" * 20_000,
        "\xff",
    ],
)
def test_a_provider_without_usable_keys_is_unavailable(provider: Provider, answer: str) -> None:
    """An outage is neither 401 nor 500, and ends as soon as the keys are available again."""
    tokens = TokenVerifier(_settings(jwt_secret=None, jwks_url=provider.url))
    token = jwt.encode(_claims(), KEY, algorithm="RS256", headers={"kid": "one"})
    provider.answer = answer.encode("latin-1")
    with pytest.raises(Retry):
        _verify(tokens, token)
    provider.answer = json.dumps({"keys": [{**PUBLIC, "kid": "one"}]}).encode()
    assert _verify(tokens, token).subject == "someone"
    unknown = jwt.encode(_claims(), KEY, algorithm="RS256", headers={"kid": "two"})
    with pytest.raises(NeedsAuth):
        _verify(tokens, unknown)


def test_keys_that_arrive_byte_by_byte_end_at_the_deadline(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte is in time. A fetch without end would keep a thread of the process per request."""
    provider.answer, provider.part, provider.pause = b" " * 10_000, 1, 0.02
    with pytest.raises(jwt.PyJWKClientConnectionError):
        SigningKeys(provider.url, seconds=0.3).get_signing_keys()


def test_keys_without_end_are_not_read_to_the_end(provider: Provider) -> None:
    provider.answer = b" " * 2**21 + json.dumps({"keys": [{**PUBLIC, "kid": "one"}]}).encode()
    with pytest.raises(jwt.PyJWKClientConnectionError):
        SigningKeys(provider.url).get_signing_keys()


def test_issuer_and_audience_if_configured() -> None:
    tokens = TokenVerifier(_settings(jwt_issuer="us", jwt_audience="here"))
    assert _verify(tokens, jwt.encode(_claims(iss="us", aud="here"), SECRET)).subject == "someone"
    for changes in ({"iss": "them", "aud": "here"}, {"iss": "us", "aud": "there"}, {}):
        with pytest.raises(NeedsAuth):
            _verify(tokens, jwt.encode(_claims(**changes), SECRET))


def test_an_unavailable_identity_provider_is_not_a_refusal() -> None:
    token = jwt.encode(_claims(), KEY, algorithm="RS256")
    with pytest.raises(Retry):
        _verify(
            TokenVerifier(_settings(jwt_secret=None), Keys(jwt.PyJWKClientConnectionError("away"))), token
        )


@pytest.mark.parametrize(("lives", "believed"), [(600, 30), (5, 15)])
def test_a_verified_token_is_cached_briefly_and_never_past_its_expiry(lives: int, believed: int) -> None:
    now, keys = int(time.time()), Keys()
    clock = [float(now)]
    tokens = TokenVerifier(_settings(jwt_secret=None), keys, clock=lambda: clock[0])
    token = jwt.encode(_claims(exp=now + lives), KEY, algorithm="RS256")
    for seconds, asked in ((0, 1), (believed - 0.1, 1), (believed, 2)):
        clock[0] = now + seconds
        assert _verify(tokens, token).subject == "someone"
        assert keys.asked == asked, seconds


def test_what_was_refused_is_refused_again() -> None:
    tokens, token = (
        TokenVerifier(_settings()),
        jwt.encode(_claims(), "another secret of thirty-two bytes or more"),
    )
    good = jwt.encode(_claims(), SECRET)
    for _ in range(2):
        assert _verify(tokens, good).subject == "someone"
        with pytest.raises(NeedsAuth):
            _verify(tokens, token)
        with pytest.raises(NeedsAuth):
            _verify(tokens, good[:-2])


def test_a_gateway_without_keys_does_not_start() -> None:
    with pytest.raises(Stop, match="JWT_SECRET"):
        TokenVerifier(GatewaySettings())
    with pytest.raises(Stop, match="32 bytes"):
        TokenVerifier(GatewaySettings(jwt_secret=SecretStr("short")))
    with pytest.raises(Stop, match="cannot be read"):
        TokenVerifier(GatewaySettings(jwt_secret_file=Path("/nonexistent/key")))


def test_a_sunset_before_the_deprecation_is_refused() -> None:
    with pytest.raises(Stop, match="SUNSET_AT"):
        read_gateway_settings(deprecated_at="2027-01-01T00:00:00Z", sunset_at="2026-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("granted", "has"),
    [
        ("customers.view", True),
        ("customers.*", True),
        ("*", True),
        ("customers", False),
        ("customers.viewer", False),
        ("customers.view.*", False),
        ("cust*", False),
    ],
)
def test_features_and_wildcards(granted: str, has: bool) -> None:
    who = Principal(tenant_id="t", organization_id="o", subject="s", features=frozenset({granted}))
    assert who.has("customers.view") is has
