"""Settings of sign-in that the gateway refuses to start with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from runtime.gateway_settings import is_loopback, read_gateway_settings
from schemas.errors import Stop

SECRET = "a secret of the tests that is long enough"
OIDC = {
    "oidc_issuer": "https://id.example",
    "oidc_client_id": "pages",
    "oidc_client_secret": "the secret of the pages",
    "public_url": "https://crm.example",
}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_local_sign_in_on_loopback(host: str) -> None:
    assert read_gateway_settings(host=host, local_sign_in=True, jwt_secret=SECRET).local_sign_in


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "crm.example", "127.0.0.1.example"])
def test_local_sign_in_elsewhere_is_refused(host: str) -> None:
    with pytest.raises(Stop, match="LOCAL_SIGN_IN"):
        read_gateway_settings(host=host, local_sign_in=True, jwt_secret=SECRET)
    assert not is_loopback(host)


def test_local_sign_in_needs_a_key() -> None:
    with pytest.raises(Stop, match="JWT_SECRET"):
        read_gateway_settings(local_sign_in=True)


def test_openid_connect_is_complete_or_absent() -> None:
    assert read_gateway_settings(**OIDC).oidc_secret() == "the secret of the pages"
    for name in OIDC:
        with pytest.raises(Stop, match=name.upper()):
            read_gateway_settings(**{**OIDC, name: None})
    assert read_gateway_settings(public_url="https://crm.example").oidc_issuer is None


def test_the_secret_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("from a file\n")
    settings: dict[str, Any] = {**OIDC, "oidc_client_secret": None, "oidc_client_secret_file": file}
    assert read_gateway_settings(**settings).oidc_secret() == "from a file"
    file.write_bytes(b"\xff")
    with pytest.raises(Stop, match="UTF-8"):
        read_gateway_settings(**settings)
    file.unlink()
    with pytest.raises(Stop, match="cannot be read"):
        read_gateway_settings(**settings)


@pytest.mark.parametrize("url", ["http://crm.example", "http://10.0.0.9:8080"])
def test_sessions_need_tls_or_loopback(url: str) -> None:
    with pytest.raises(Stop, match="PUBLIC_URL"):
        read_gateway_settings(public_url=url)
    assert read_gateway_settings(public_url="http://127.0.0.1:8080").public_url
