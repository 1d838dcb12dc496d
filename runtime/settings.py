"""Settings of every process: the environment first, then the embedded stack that runs in ``home``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.running_stack import read_running_stack
from schemas.errors import Stop

ENV_PREFIX = "INTERACTIONS_"
#: Idle seconds after which an HTTP server closes a connection. Hazard: it must be longer than clients and load
#: balancers keep theirs (5 to 60 s is usual). Otherwise a request can meet a closing connection, and the client
#: cannot know whether its write was accepted.
KEEP_ALIVE_SECONDS: Final = 75
SERVER_FIELDS = ("database_url", "kafka_bootstrap_servers", "schema_registry_url")


class Settings(BaseSettings):
    """One immutable set of settings; each field is read from ``INTERACTIONS_<NAME>``.

    Two settings that differ in ``topic_prefix`` and database do not see each other on the same servers.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    home: Path = Field(
        default=Path(".interactions"), description="Data, logs and state of the embedded stack."
    )

    database_url: SecretStr | None = Field(default=None, description="postgresql:// URL as libpq reads it.")
    kafka_bootstrap_servers: str | None = Field(default=None, description="host:port[,host:port…]")
    schema_registry_url: str | None = Field(
        default=None, description="Base URL of a Confluent-compatible API."
    )

    kafka_security_protocol: str | None = None
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: str | None = None
    kafka_options: dict[str, Any] = Field(
        default_factory=dict, description="JSON object of further librdkafka properties; wins over the rest."
    )
    schema_registry_username: str | None = None
    schema_registry_password: SecretStr | None = None
    schema_registry_ssl_ca_location: str | None = None

    consumer_group: str = "customer-interactions-applier"
    topic_prefix: str = Field(default="", description="Put before every topic name.")
    topic_partitions: int = Field(default=6, ge=1)
    topic_replication_factor: int = Field(default=1, ge=1)
    batch_size: int = Field(default=1000, ge=1, description="Most records in one transaction of the applier.")
    overdue_after_seconds: int = Field(default=3600, ge=0)
    stuck_after_seconds: float = Field(
        default=120.0, gt=0, description="A role with work that gets nowhere for so long ends with an error."
    )
    health_host: str = Field(default="127.0.0.1", description="Where roles answer /healthz and /readyz.")
    health_port: int = Field(default=0, ge=0, le=65535, description="0 takes any free port.")

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @property
    def stalled_after_seconds(self) -> float:
        """Work that waits for so long without progress is reported as a stall."""
        return self.stuck_after_seconds / 2

    def topic(self, name: str) -> str:
        """The full name on the broker of a topic of the catalogue."""
        return self.topic_prefix + name


def read_settings(**overrides: Any) -> Settings:
    """Settings of the environment alone; server addresses may be unset.

    :raises Stop: a variable has a value that cannot be used; the message names it.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines = [
            f"  {ENV_PREFIX}{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise Stop("These settings cannot be used:\n" + "\n".join(lines)) from None


def load_settings(**overrides: Any) -> Settings:
    """Settings with all three server addresses: the environment's, else the running stack's of ``home``.

    :param overrides: fields that win over the environment.
    :raises Stop: a setting cannot be used, or an address is missing and no stack runs.
    """
    settings = read_settings(**overrides)
    missing = [name for name in SERVER_FIELDS if getattr(settings, name) is None]
    if not missing:
        return settings
    running = read_running_stack(settings.home)
    if running is None:
        wanted = ", ".join(ENV_PREFIX + name.upper() for name in missing)
        raise Stop(
            f"No stack is running in {settings.home}, and these are not set: {wanted}.\n"
            "Start one with `interactions up --detach`, or set the variables to reach your own servers."
        )
    found = running.addresses.model_dump()
    return read_settings(**overrides, **{name: found[name] for name in missing})
