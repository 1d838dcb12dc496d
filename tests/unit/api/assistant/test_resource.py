"""The audience of the tools, their metadata, and the allowed hosts."""

from __future__ import annotations

import pytest

from api.assistant.resource import metadata, metadata_url, resource_of, transport_security
from runtime.gateway_settings import GatewaySettings, read_gateway_settings
from schemas.errors import Stop


def settings(**fields: object) -> GatewaySettings:
    return GatewaySettings(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "resource"),
    [
        ({}, "http://127.0.0.1:8080/mcp"),
        ({"host": "::1", "port": 9}, "http://[::1]:9/mcp"),
        ({"jwt_audience": "https://crm.example"}, "http://127.0.0.1:8080/mcp"),
        ({"host": "0.0.0.0", "jwt_audience": "https://crm.example"}, "https://crm.example"),
        ({"host": "0.0.0.0"}, None),
        ({"mcp_resource": "https://crm.example/mcp/"}, "https://crm.example/mcp"),
    ],
)
def test_the_audience(given: dict[str, object], resource: str | None) -> None:
    assert resource_of(settings(**given)) == resource


def test_the_metadata_is_beside_the_resource() -> None:
    assert metadata_url("https://crm.example/a/mcp") == (
        "https://crm.example/.well-known/oauth-protected-resource/a/mcp"
    )
    assert metadata_url("crm") is None
    assert metadata_url(None) is None


def test_an_authorization_server_is_named_only_if_the_issuer_is_one() -> None:
    url = "https://crm.example/mcp"
    assert metadata(url, "https://login.example")["authorization_servers"] == ["https://login.example"]
    assert "authorization_servers" not in metadata(url, "our issuer")
    assert "authorization_servers" not in metadata(url, None)


def test_hosts() -> None:
    public = transport_security(settings(mcp_resource="https://crm.example/mcp", host="0.0.0.0"))
    assert (public.allowed_hosts, public.allowed_origins) == (["crm.example"], ["https://crm.example"])
    local = transport_security(settings())
    assert "localhost:*" in local.allowed_hosts
    assert not transport_security(settings(host="0.0.0.0")).enable_dns_rebinding_protection


@pytest.mark.parametrize("text", ["crm.example/mcp", "ftp://x", "https://crm.example/mcp#x"])
def test_a_resource_that_is_no_url_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("INTERACTIONS_API_MCP_RESOURCE", text)
    with pytest.raises(Stop, match="INTERACTIONS_API_MCP_RESOURCE"):
        read_gateway_settings()
