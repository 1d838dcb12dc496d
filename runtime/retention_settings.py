"""Settings of retention, read from ``INTERACTIONS_RETENTION_<NAME>``."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.settings import invalid_settings

RETENTION_PREFIX: Final = "INTERACTIONS_RETENTION_"


class RetentionSettings(BaseSettings):
    """Days that rows are kept. A value below its floor is refused (``sinks.retention_policy``)."""

    model_config = SettingsConfigDict(
        env_prefix=RETENTION_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    journal_days: float = Field(
        default=400, gt=0, description="Days after its last one that a month of the journal is kept."
    )
    echoes_days: float = Field(default=1, gt=0, description="Days that an expired echo is kept.")
    receipts_days: float = Field(default=30, gt=0, description="Days that receipts of webhooks are kept.")
    warnings_days: float = Field(default=180, gt=0, description="Days that resolved warnings are kept.")
    violations_days: float = Field(default=180, gt=0, description="Days that healed violations are kept.")
    jobs_days: float = Field(
        default=180, gt=0, description="Days that finished jobs are kept with their batches."
    )
    runs_days: float = Field(default=7, gt=0, description="The same for the runs of recurring jobs.")


def read_retention_settings(**overrides: Any) -> RetentionSettings:
    """Read the settings from the environment.

    :raises Stop: a variable has an invalid value; the message names it.
    """
    try:
        return RetentionSettings(**overrides)
    except ValidationError as error:
        raise invalid_settings(RETENTION_PREFIX, error) from None
