"""Options of the embedded servers, read from ``INTERACTIONS_<NAME>``."""

from __future__ import annotations

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.settings import ENV_PREFIX


class StackOptions(BaseSettings):
    """Ports and limits of the embedded servers. An unset port is chosen once and kept for the home."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    kafka_port: int | None = Field(default=None, ge=1, le=65535)
    kafka_controller_port: int | None = Field(default=None, ge=1, le=65535)
    postgres_port: int | None = Field(default=None, ge=1, le=65535)
    schema_registry_port: int | None = Field(default=None, ge=1, le=65535)
    api_port: int | None = Field(default=None, ge=1, le=65535, description="Port of the HTTP gateway.")

    kafka_session_timeout_ms: int = Field(
        default=10_000,
        ge=1_000,
        description="Time without a heartbeat after which a consumer is dead.",
    )
    kafka_heartbeat_ms: int = Field(default=2_000, ge=100)
    kafka_heap_mb: int = Field(default=768, ge=256)
    schema_registry_heap_mb: int = Field(default=384, ge=128)
    postgres_shared_buffers_mb: int = Field(default=256, ge=16)
    start_timeout_seconds: float = Field(default=120, gt=0)
    stop_timeout_seconds: float = Field(default=20, gt=0)
