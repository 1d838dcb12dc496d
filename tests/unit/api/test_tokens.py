"""Tokens: which algorithms are believed, which claims are needed, and what a feature grants."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from api.principal import Principal
from api.tokens import Tokens
from runtime.gateway_settings import GatewaySettings, read_gateway_settings
from schemas.errors import NeedsAuth, Retry, Stop

SECRET = "a secret of thirty-two bytes or more"
CLAIMS = {
    "sub": "someone",
    "tenantId": "AAAAAAAA-0000-4000-8000-000000000001",
    "organizationId": "bbbbbbbb-0000-4000-8000-000000000001",
    "features": ["customers.view"],
}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Keys:
    """A key set with one key."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._failure = failure
        self.asked = 0

    def get_signing_key_from_jwt(self, token: str) -> Any:
        self.asked += 1
        if self._failure is not None:
            raise self._failure
        return jwt.PyJWK.from_dict(
            jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key(), as_dict=True) | {"alg": "RS256"}
        )


def _settings(**fields: Any) -> GatewaySettings:
    return GatewaySettings(**{"jwt_secret": SecretStr(SECRET), **fields})


def _read(tokens: Tokens, token: str) -> Principal:
    return asyncio.run(tokens.read(token))


def _claims(**changes: Any) -> dict[str, Any]:
    return {**CLAIMS, "exp": int(time.time()) + 60, **changes}


def test_a_token_of_the_secret() -> None:
    who = _read(Tokens(_settings()), jwt.encode(_claims(), SECRET))
    assert who.tenant_id == "aaaaaaaa-0000-4000-8000-000000000001", "ids are compared in lower case"
    assert (who.subject, who.features) == ("someone", frozenset({"customers.view"}))


def test_a_token_of_the_key_set() -> None:
    token = jwt.encode(_claims(), KEY, algorithm="RS256")
    assert _read(Tokens(_settings(jwt_secret=None), Keys()), token).subject == "someone"


def test_a_public_key_is_never_taken_for_a_secret() -> None:
    """RFC 8725, section 2.1: a token signed by HMAC with the public key as its secret."""
    public = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    import base64
    import hashlib
    import hmac
    import json

    def part(value: bytes) -> bytes:
        return base64.urlsafe_b64encode(value).rstrip(b"=")

    signed = part(b'{"alg":"HS256","typ":"JWT"}') + b"." + part(json.dumps(_claims()).encode())
    forged = signed + b"." + part(hmac.new(public, signed, hashlib.sha256).digest())
    with pytest.raises(NeedsAuth):
        _read(Tokens(_settings(jwt_secret=None), Keys()), forged.decode())


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
    ],
)
def test_claims_that_are_not_believed(changes: dict[str, Any]) -> None:
    with pytest.raises(NeedsAuth):
        _read(Tokens(_settings()), jwt.encode(_claims(**changes), SECRET))


def test_issuer_and_audience_when_asked_for() -> None:
    tokens = Tokens(_settings(jwt_issuer="us", jwt_audience="here"))
    assert _read(tokens, jwt.encode(_claims(iss="us", aud="here"), SECRET)).subject == "someone"
    for changes in ({"iss": "them", "aud": "here"}, {"iss": "us", "aud": "there"}, {}):
        with pytest.raises(NeedsAuth):
            _read(tokens, jwt.encode(_claims(**changes), SECRET))


def test_an_identity_provider_that_is_away_is_no_refusal() -> None:
    token = jwt.encode(_claims(), KEY, algorithm="RS256")
    with pytest.raises(Retry):
        _read(Tokens(_settings(jwt_secret=None), Keys(jwt.PyJWKClientConnectionError("away"))), token)


@pytest.mark.parametrize(("lives", "believed"), [(600, 30), (5, 15)])
def test_a_verified_token_is_believed_for_a_moment_and_never_past_its_end(lives: int, believed: int) -> None:
    now, keys = int(time.time()), Keys()
    clock = [float(now)]
    tokens = Tokens(_settings(jwt_secret=None), keys, clock=lambda: clock[0])
    token = jwt.encode(_claims(exp=now + lives), KEY, algorithm="RS256")
    for seconds, asked in ((0, 1), (believed - 0.1, 1), (believed, 2)):
        clock[0] = now + seconds
        assert _read(tokens, token).subject == "someone"
        assert keys.asked == asked, seconds


def test_what_was_refused_is_refused_again() -> None:
    tokens, token = Tokens(_settings()), jwt.encode(_claims(), "another secret of thirty-two bytes or more")
    good = jwt.encode(_claims(), SECRET)
    for _ in range(2):
        assert _read(tokens, good).subject == "someone"
        with pytest.raises(NeedsAuth):
            _read(tokens, token)
        with pytest.raises(NeedsAuth):
            _read(tokens, good[:-2])


def test_a_gateway_that_could_trust_nobody_does_not_start() -> None:
    with pytest.raises(Stop, match="JWT_SECRET"):
        Tokens(GatewaySettings())
    with pytest.raises(Stop, match="32 bytes"):
        Tokens(GatewaySettings(jwt_secret=SecretStr("short")))
    with pytest.raises(Stop, match="cannot be read"):
        Tokens(GatewaySettings(jwt_secret_file=Path("/nonexistent/key")))


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
