"""Settings of the connectors, read from ``INTERACTIONS_CONNECTORS_<NAME>``, and their encryption keys."""

from __future__ import annotations

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.settings import invalid_settings

CONNECTORS_PREFIX = "INTERACTIONS_CONNECTORS_"


class ConnectorSettings(BaseSettings):
    """Settings of the connectors' workers and of the webhook receiver."""

    model_config = SettingsConfigDict(
        env_prefix=CONNECTORS_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    secrets_key: SecretStr | None = Field(
        default=None,
        validation_alias="INTERACTIONS_SECRETS_KEY",
        description="Encryption keys as <id>:<base64 of 32 bytes>, separated by commas, newest first.",
    )
    host: str = Field(default="127.0.0.1", description="Address on which webhooks are received.")
    port: int = Field(
        default=8081, ge=0, le=65535, description="Port of the webhook receiver; 0: any free port."
    )
    public_url: str | None = Field(
        default=None,
        description="Public https URL of the webhook receiver; without it, the connectors poll.",
    )
    workers: int = Field(default=4, ge=1, le=64, description="Number of threads that call providers.")
    lease_seconds: float = Field(
        default=90.0, gt=0, description="Time after which another worker takes over an item of a dead worker."
    )
    exchange_seconds: float = Field(
        default=30.0, gt=0, le=300, description="Timeout for one request to a provider, response included."
    )
    poll_scale: float = Field(default=1.0, gt=0, description="Factor applied to the polling intervals.")


def read_connector_settings() -> ConnectorSettings:
    """Read the settings from the environment.

    :raises Stop: a variable has an invalid value; the message names it.
    """
    try:
        return ConnectorSettings()
    except ValidationError as error:
        raise invalid_settings(CONNECTORS_PREFIX, error) from None
