"""Settings of the HTTP gateway, read from ``INTERACTIONS_API_<NAME>``."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.settings import invalid_settings
from schemas.errors import Stop

API_PREFIX = "INTERACTIONS_API_"


class GatewaySettings(BaseSettings):
    """Address, authentication and limits of the gateway (spec "Security & Validation Contract")."""

    model_config = SettingsConfigDict(
        env_prefix=API_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535, description="Port; 0: any free port.")

    jwt_secret: SecretStr | None = Field(default=None, description="HS256 secret of at least 32 bytes.")
    jwt_secret_file: Path | None = Field(default=None, description="File with the HS256 secret.")
    jwks_url: str | None = Field(
        default=None, description="URL of the identity provider's keys (RS256, ES256, …)."
    )
    jwt_issuer: str | None = None
    jwt_audience: str | None = None
    mcp_resource: str | None = Field(
        default=None,
        pattern=r"^https?://[^#?\s]+$",
        description="Public URL of the tools for assistants, the audience that their tokens must name.",
    )

    public_url: str | None = Field(
        default=None,
        pattern=r"^https?://[^/#?\s]+/?$",
        description="Address of the pages in the browser, without a path.",
    )
    oidc_issuer: str | None = Field(
        default=None,
        pattern=r"^https?://[^#?\s]+$",
        description="Issuer of the OpenID Connect provider at which people sign in to the pages.",
    )
    oidc_client_id: str | None = Field(default=None, description="Id of the pages at this provider.")
    oidc_client_secret: SecretStr | None = Field(default=None, description="Their secret at this provider.")
    oidc_client_secret_file: Path | None = Field(default=None, description="File with this secret.")
    local_sign_in: bool = Field(
        default=False, description="Accept links of `interactions open`. On a loopback address only."
    )
    session_idle_seconds: float = Field(
        default=8 * 3600, gt=0, description="A session of the pages ends after this time without a request."
    )
    session_absolute_seconds: float = Field(
        default=24 * 3600, gt=0, le=31 * 86400, description="A session of the pages ends after this time."
    )

    outcome_timeout_seconds: float = Field(default=10.0, gt=0, description="Wait for a result; then 504.")
    broker_timeout_seconds: float = Field(default=4.0, gt=0, description="Wait for Kafka; then 503.")
    read_timeout_seconds: float = Field(default=10.0, gt=0, description="Statement timeout of reads.")
    pool_size: int = Field(default=10, ge=1, description="Maximum Postgres connections for reads.")
    rate_per_second: float = Field(default=100.0, gt=0, description="Sustained request rate per principal.")
    rate_burst: int = Field(default=200, ge=1, description="Maximum burst of requests per principal.")
    show_statements: bool = Field(
        default=False, description="Add the response header x-statements: number of SQL statements sent."
    )
    header_timeout_seconds: float = Field(
        default=10.0, gt=0, description="Timeout for receiving the headers of a request."
    )
    body_timeout_seconds: float = Field(
        default=30.0, gt=0, description="Timeout for receiving the body of a request."
    )
    max_body_bytes: int = Field(default=256 * 1024, ge=1024)
    stream_clients: int = Field(default=4000, ge=1, description="Maximum open event streams per process.")
    stream_backlog: int = Field(default=2000, ge=0, description="Results per partition kept for resumption.")

    deprecated_at: datetime = Field(
        default=datetime(2026, 3, 1, tzinfo=UTC), description="Deprecation date of the adapters."
    )
    sunset_at: datetime = Field(default=datetime(2027, 12, 31, 23, 59, 59, tzinfo=UTC))
    migration_url: str = "/docs/migration"

    def secret(self) -> bytes | None:
        """Return the HS256 secret, if one is set.

        :raises Stop: its file cannot be read, or the secret is too short to be safe (RFC 7518, section 3.2).
        """
        found = _secret_of(self.jwt_secret, self.jwt_secret_file, "JWT_SECRET_FILE")
        if found is not None and len(found) < 32:
            raise Stop(f"{API_PREFIX}JWT_SECRET must have at least 32 bytes (HS256, RFC 7518 section 3.2).")
        return found

    def oidc_secret(self) -> str | None:
        """Return the pages' secret at the identity provider, if one is set.

        :raises Stop: its file cannot be read, or the secret is not UTF-8 text.
        """
        found = _secret_of(self.oidc_client_secret, self.oidc_client_secret_file, "OIDC_CLIENT_SECRET_FILE")
        try:
            return found.decode() or None if found is not None else None
        except UnicodeDecodeError:
            raise Stop(f"{API_PREFIX}OIDC_CLIENT_SECRET_FILE is not UTF-8 text.") from None


def _secret_of(value: SecretStr | None, file: Path | None, name: str) -> bytes | None:
    if value is not None:
        return value.get_secret_value().encode()
    if file is None:
        return None
    try:
        return file.read_bytes().strip()
    except OSError as error:
        raise Stop(f"{API_PREFIX}{name}: {file} cannot be read: {error.strerror}") from None


def read_gateway_settings(**overrides: Any) -> GatewaySettings:
    """Read the gateway's settings from the environment.

    :raises Stop: a variable has an invalid value; the message names it.
    """
    try:
        settings = GatewaySettings(**overrides)
    except ValidationError as error:
        raise invalid_settings(API_PREFIX, error) from None
    if settings.sunset_at < settings.deprecated_at:
        # RFC 9745, section 4: the sunset date must not be earlier than the deprecation date.
        raise Stop(f"{API_PREFIX}SUNSET_AT is before {API_PREFIX}DEPRECATED_AT.")
    check_sign_in(settings)
    return settings


def check_sign_in(settings: GatewaySettings) -> None:
    """Check the ways to sign in to the pages.

    :raises Stop: local sign-in would be reachable from other machines, or OpenID Connect is half configured.
    """
    if settings.local_sign_in and not is_loopback(settings.host):
        raise Stop(
            f"{API_PREFIX}LOCAL_SIGN_IN lets every user of this machine sign in, but {API_PREFIX}HOST is"
            f" {settings.host}. Set it to 127.0.0.1, or configure {API_PREFIX}OIDC_ISSUER instead."
        )
    if settings.local_sign_in and settings.secret() is None:
        raise Stop(
            f"{API_PREFIX}LOCAL_SIGN_IN needs {API_PREFIX}JWT_SECRET (or _FILE), which signs its links."
        )
    oidc = {
        "OIDC_ISSUER": settings.oidc_issuer,
        "OIDC_CLIENT_ID": settings.oidc_client_id,
        "OIDC_CLIENT_SECRET": settings.oidc_secret(),
    }
    missing = [name for name, value in {**oidc, "PUBLIC_URL": settings.public_url}.items() if not value]
    if any(oidc.values()) and missing:
        names = ", ".join(f"{API_PREFIX}{name}" for name in missing)
        raise Stop(f"Sign-in by OpenID Connect is incomplete. Also set {names}.")
    public = urlsplit(settings.public_url or "https://")
    if public.scheme != "https" and not is_loopback(public.hostname or ""):
        raise Stop(
            f"{API_PREFIX}PUBLIC_URL must begin with https://. Browsers keep the cookie of a session over TLS"
            " only."
        )


def is_loopback(host: str) -> bool:
    """Report whether a host name or address can only mean this machine."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
