"""Settings of the HTTP gateway, read from ``INTERACTIONS_API_<NAME>``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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
        if self.jwt_secret is not None:
            found = self.jwt_secret.get_secret_value().encode()
        elif self.jwt_secret_file is not None:
            try:
                found = self.jwt_secret_file.read_bytes().strip()
            except OSError as error:
                raise Stop(
                    f"{API_PREFIX}JWT_SECRET_FILE: {self.jwt_secret_file} cannot be read: {error.strerror}"
                ) from None
        else:
            return None
        if len(found) < 32:
            raise Stop(f"{API_PREFIX}JWT_SECRET must have at least 32 bytes (HS256, RFC 7518 section 3.2).")
        return found


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
    return settings
