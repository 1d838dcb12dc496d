"""The record of a sign-in that has begun, and the provider's metadata."""

from __future__ import annotations

import time
from typing import Any

import pytest
from starlette.responses import Response

from schemas.errors import NeedsAuth, Retry
from web.sign_in import cookies
from web.sign_in.oidc import _check_metadata, session_end_of
from web.sign_in.record import RecordBox, SignInRecord, record_id

RECORD = SignInRecord("S" * 30, "nonce", "verifier", "/backend/x")


def test_a_record_is_neither_readable_nor_forgeable() -> None:
    box = RecordBox("a client secret")
    sealed = box.seal(RECORD)
    assert box.open(sealed) == RECORD
    assert "nonce" not in sealed
    for wrong in ("", "x", sealed[:-4] + "AAAA", sealed[1:], "ü"):
        assert box.open(wrong) is None
    assert RecordBox("another client secret").open(sealed) is None


def test_a_record_is_valid_for_ten_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    box = RecordBox("a client secret")
    sealed = box.seal(RECORD)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 590)
    assert box.open(sealed) == RECORD
    monkeypatch.setattr(time, "time", lambda: now + 620)
    assert box.open(sealed) is None


@pytest.mark.parametrize(
    "state", ["", "short", "S" * 15, "S" * 15 + ";", "ü" * 16, "S" * 10 + "=" + "S" * 10]
)
def test_a_state_that_cannot_name_a_cookie(state: str) -> None:
    assert record_id("S" * 30) == "S" * 16
    assert record_id(state) is None


def metadata(**changed: Any) -> dict[str, Any]:
    names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
    addresses = {name: f"https://id.example/{name}" for name in names}
    return {"issuer": "https://id.example", **addresses, **changed}


def test_unsigned_id_tokens_are_not_accepted() -> None:
    found = metadata(id_token_signing_alg_values_supported=["none", "HS256", "ES256", "RS256"])
    _check_metadata(found, "https://id.example")
    assert found["id_token_signing_alg_values_supported"] == ["ES256", "RS256"]


def test_metadata_of_another_issuer() -> None:
    with pytest.raises(Retry):
        _check_metadata(metadata(), "https://other.example")


@pytest.mark.parametrize(
    ("offered", "used"),
    [
        (None, None),
        (["client_secret_post"], "client_secret_post"),
        (["client_secret_post", "client_secret_basic"], None),
    ],
)
def test_authentication_of_the_client(offered: list[str] | None, used: str | None) -> None:
    found = metadata(token_endpoint_auth_methods_supported=offered)
    _check_metadata(found, "https://id.example")
    assert found.get("token_endpoint_auth_method") == used


def test_the_end_of_an_identity() -> None:
    assert session_end_of({}) == float("inf")
    assert session_end_of({"sessionExpiresAt": 7}) == 7.0
    for wrong in ("7", True, None):
        with pytest.raises(NeedsAuth):
            session_end_of({"sessionExpiresAt": wrong})


def test_flags_of_the_cookies() -> None:
    response = Response()
    cookies.set_session_cookie(response, "value")
    cookies.set_record_cookie(response, "id", "value")
    cookies.delete_cookie(response, cookies.SESSION_COOKIE)
    for line in response.headers.getlist("set-cookie"):
        name, *flags = line.split("; ")
        assert name.startswith("__Host-")
        assert {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(flags)
        assert not any(flag.startswith("Domain") for flag in flags)
