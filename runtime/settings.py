"""Settings of all processes: from the environment, then from the embedded stack that runs in ``home``."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.running_stack import read_running_stack
from schemas.errors import Stop

ENV_PREFIX = "INTERACTIONS_"
#: Idle seconds after which an HTTP server closes a connection. Hazard: it must exceed the keep-alive of
#: clients and load balancers (usually 5 to 60 s). Otherwise a request can arrive on a connection that is
#: being closed, and the client cannot know whether its write was accepted.
KEEP_ALIVE_SECONDS: Final = 75
SERVER_FIELDS = ("database_url", "kafka_bootstrap_servers", "schema_registry_url")


class Settings(BaseSettings):
    """Immutable settings; each field is read from ``INTERACTIONS_<NAME>``.

    Deployments that differ in ``topic_prefix`` and database can share the same servers.
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
        default_factory=dict,
        description="JSON object of further librdkafka properties; they override all others.",
    )
    schema_registry_username: str | None = None
    schema_registry_password: SecretStr | None = None
    schema_registry_ssl_ca_location: str | None = None

    consumer_group: str = "customer-interactions-applier"
    topic_prefix: str = Field(default="", description="Prefix of all topic names.")
    topic_partitions: int = Field(
        default=6, ge=1, description="Partitions of new topics of commands, events and integrations."
    )
    results_partitions: int = Field(
        default=2, ge=1, description="Partitions of new topics of results and dead letters."
    )
    state_partitions: int = Field(default=1, ge=1, description="Partitions of new state topics.")
    topic_replication_factor: int = Field(default=1, ge=1)
    batch_size: int = Field(default=1000, ge=1, description="Maximum records per transaction of the applier.")
    overdue_after_seconds: int = Field(default=3600, ge=0)
    resolution_deadline_seconds: int = Field(
        default=600, ge=1, description="Time after which a draft that was not written counts as failed."
    )
    drafts_workers: int = Field(default=4, ge=1, le=64, description="Drafts that a role writes at once.")
    watch_share: float = Field(
        default=0.05, gt=0, le=1, description="Share of the time in which the watch reads rows in turn."
    )
    reconcile_every_seconds: float = Field(
        default=900.0, ge=1, description="Period of the reconciler of projections."
    )
    reconcile_share: float = Field(
        default=0.05, gt=0, le=1, description="Share of the time in which the reconciler reads rows."
    )
    retention_every_seconds: float = Field(default=86_400.0, ge=1, description="Period of the retention job.")
    stuck_after_seconds: float = Field(
        default=120.0, gt=0, description="Time without progress after which a role that has work exits."
    )
    health_host: str = Field(default="127.0.0.1", description="Address of /healthz and /readyz of the roles.")
    health_port: int = Field(default=0, ge=0, le=65535, description="Port of these; 0: any free port.")

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @property
    def stalled_after_seconds(self) -> float:
        """Seconds without progress after which waiting work is reported as a stall."""
        return self.stuck_after_seconds / 2

    def topic(self, name: str) -> str:
        """Full name on the broker of a catalogue topic."""
        return self.topic_prefix + name


def invalid_settings(prefix: str, error: ValidationError) -> Stop:
    """Build the error that names each invalid variable, without its value.

    :param prefix: of the variables.
    """
    lines = [
        f"  {prefix}{'_'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
        for problem in error.errors(include_input=False, include_url=False)
    ]
    return Stop("Invalid settings:\n" + "\n".join(lines))


def read_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment only; server addresses can be unset.

    :raises Stop: a variable has an invalid value; the message names it.
    """
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise invalid_settings(ENV_PREFIX, error) from None


def load_settings(**overrides: Any) -> Settings:
    """Read the settings with all three server addresses, missing ones from the running stack of ``home``.

    :param overrides: fields that override the environment.
    :raises Stop: a setting is invalid, or an address is missing and no stack is running.
    """
    settings = read_settings(**overrides)
    missing = [name for name in SERVER_FIELDS if getattr(settings, name) is None]
    if not missing:
        return settings
    running = read_running_stack(settings.home)
    if running is None:
        wanted = ", ".join(ENV_PREFIX + name.upper() for name in missing)
        raise Stop(
            f"No stack is running in {settings.home}, and these variables are not set: {wanted}.\n"
            "Start a stack with `interactions up --detach`, or set the variables to use your own servers."
        )
    found = running.addresses.model_dump()
    return read_settings(**overrides, **{name: found[name] for name in missing})
