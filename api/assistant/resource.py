"""The tools as an OAuth protected resource: its URI, its metadata (RFC 9728), its allowed hosts."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

from mcp.server.auth.routes import build_resource_metadata_url
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import AnyHttpUrl

from runtime.gateway_settings import GatewaySettings

PATH: Final = "/mcp"
WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
_ANY_ADDRESS: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound
_LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_LOOPBACK_HOSTS: Final = ("127.0.0.1:*", "localhost:*", "[::1]:*")


def resource_of(settings: GatewaySettings) -> str | None:
    """The audience that tokens for the tools must name; ``None`` if none is known, so that none is accepted.

    It is the setting, otherwise the URL of the listen address, otherwise the audience of the other routes.
    """
    if settings.mcp_resource is not None:
        return settings.mcp_resource.rstrip("/")
    if settings.host in _ANY_ADDRESS:
        return settings.jwt_audience
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{settings.port}{PATH}"


def metadata_url(resource: str | None) -> str | None:
    """The address of the metadata; ``None`` if the resource is not a URL."""
    if resource is None or not resource.startswith(("http://", "https://")):
        return None
    return str(build_resource_metadata_url(AnyHttpUrl(resource)))


def metadata(resource: str, issuer: str | None) -> dict[str, Any]:
    """The metadata document. It names an authorization server only if the issuer of the tokens is a URL."""
    document: dict[str, Any] = {
        "resource": resource,
        "bearer_methods_supported": ["header"],
        "resource_name": "Customer interactions",
    }
    if issuer is not None and issuer.startswith(("http://", "https://")):
        document["authorization_servers"] = [issuer]
    return document


def transport_security(settings: GatewaySettings) -> TransportSecuritySettings:
    """The Host and Origin headers that are accepted, against DNS rebinding.

    A gateway with an unknown public name accepts any: without the token, a page cannot do anything.
    """
    resource = resource_of(settings)
    if metadata_url(resource) is None:
        return TransportSecuritySettings(enable_dns_rebinding_protection=False)
    url = urlsplit(str(resource))
    hosts, origins = [url.netloc], [f"{url.scheme}://{url.netloc}"]
    if settings.host in _LOOPBACK:
        hosts += _LOOPBACK_HOSTS
        origins += [f"http://{host}" for host in _LOOPBACK_HOSTS]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=origins)
