"""Sign-in links: who may use them, from where, and how long."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from starlette.requests import Request

from api.tokens import principal_of
from schemas.errors import NeedsAuth, Reject
from web.sign_in.local_ticket import AUDIENCE, check_on_loopback, make_ticket, read_ticket

SECRET = b"a secret of the tests that is long enough"
IDENTITY = {"sub": "user", "tenantId": "t", "organizationId": "o", "features": []}


def test_a_ticket_is_read_back() -> None:
    first, second = (read_ticket(SECRET, make_ticket(SECRET, IDENTITY)) for _ in range(2))
    assert first.identity == IDENTITY
    assert first.id != second.id


def ticket(secret: bytes = SECRET, algorithm: str = "HS256", **changed: Any) -> str:
    now = int(time.time())
    claims = {"aud": AUDIENCE, "jti": "1", "iat": now, "exp": now + 60, "identity": IDENTITY, **changed}
    present = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(present, secret, algorithm=algorithm)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "a.b.c",
        ticket(b"another secret that is long enough too"),
        ticket(aud="interactions"),
        ticket(aud=None),
        ticket(jti=None),
        ticket(exp=None),
        ticket(exp=int(time.time()) - 1),
        ticket(identity=None),
        ticket(identity="user"),
        jwt.encode({**IDENTITY, "aud": AUDIENCE, "jti": "1", "exp": 4_000_000_000}, "", algorithm="none"),
    ],
)
def test_other_texts_are_refused(wrong: str) -> None:
    assert read_ticket(SECRET, ticket()).id == "1"
    with pytest.raises(NeedsAuth):
        read_ticket(SECRET, wrong)


def test_a_ticket_is_no_bearer_token() -> None:
    claims = jwt.decode(make_ticket(SECRET, IDENTITY), SECRET, algorithms=["HS256"], audience=AUDIENCE)
    assert claims["exp"] - claims["iat"] == 60
    with pytest.raises(NeedsAuth):
        principal_of(claims)


def request(peer: str | None, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    client = (peer, 1) if peer is not None else None
    return Request({"type": "http", "path": "/signin/local", "headers": raw, "client": client})


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("host", ["127.0.0.1:8080", "localhost", "LOCALHOST:1", "[::1]:8080"])
def test_loopback(peer: str, host: str) -> None:
    check_on_loopback(request(peer, host=host))


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("10.0.0.9", {"host": "127.0.0.1"}),
        ("::ffff:10.0.0.9", {"host": "127.0.0.1"}),
        (None, {"host": "127.0.0.1"}),
        ("127.0.0.1", {}),
        ("127.0.0.1", {"host": "evil.example"}),
        ("127.0.0.1", {"host": "127.0.0.1.evil.example"}),
        ("127.0.0.1", {"host": "localhost.evil.example"}),
        ("127.0.0.1", {"host": "evil.example#127.0.0.1"}),
        ("127.0.0.1", {"host": "[127.0.0.1"}),
        ("127.0.0.1", {"host": "0.0.0.0"}),
        ("127.0.0.1", {"host": "127.0.0.1", "x_forwarded_for": "127.0.0.1"}),
        ("127.0.0.1", {"host": "127.0.0.1", "via": "1.1 proxy"}),
    ],
)
def test_elsewhere(peer: str | None, headers: dict[str, str]) -> None:
    with pytest.raises(Reject) as refused:
        check_on_loopback(request(peer, **headers))
    assert refused.value.status == 403
