"""Settings of the connectors, read from ``INTERACTIONS_CONNECTORS_<NAME>``, and the key of their secrets."""

from __future__ import annotations

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from schemas.errors import Stop

CONNECTORS_PREFIX = "INTERACTIONS_CONNECTORS_"


class ConnectorSettings(BaseSettings):
    """How the connectors work and where their webhooks arrive."""

    model_config = SettingsConfigDict(
        env_prefix=CONNECTORS_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    secrets_key: SecretStr | None = Field(
        default=None,
        validation_alias="INTERACTIONS_SECRETS_KEY",
        description="Keys <id>:<base64 of 32 bytes>, the newest first, separated by commas.",
    )
    host: str = Field(default="127.0.0.1", description="Where webhooks are received.")
    port: int = Field(default=8081, ge=0, le=65535, description="0 takes any free port.")
    public_url: str | None = Field(
        default=None, description="How providers reach that address, https; without it the connectors poll."
    )
    workers: int = Field(default=4, ge=1, le=64, description="Threads that talk to providers.")
    lease_seconds: float = Field(
        default=90.0, gt=0, description="After that another worker takes over the item of one that died."
    )
    exchange_seconds: float = Field(
        default=30.0, gt=0, le=300, description="Longest time for one request to a provider and its answer."
    )
    poll_scale: float = Field(default=1.0, gt=0, description="Factor on the pauses between polls.")


def read_connector_settings() -> ConnectorSettings:
    """The settings of the environment.

    :raises Stop: a variable has a value that cannot be used; the message names it.
    """
    try:
        return ConnectorSettings()
    except ValidationError as error:
        lines = [
            f"  {CONNECTORS_PREFIX}{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise Stop("These settings cannot be used:\n" + "\n".join(lines)) from None
