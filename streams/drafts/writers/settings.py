"""Settings of drafts, read from ``INTERACTIONS_DRAFTS_<NAME>``."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.settings import invalid_settings

DRAFTS_PREFIX = "INTERACTIONS_DRAFTS_"


class DraftsSettings(BaseSettings):
    """Base of all settings of drafts; a writer that has settings defines a subclass."""

    model_config = SettingsConfigDict(
        env_prefix=DRAFTS_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )


class WriterSettings(DraftsSettings):
    """Choice of the writer."""

    writer: str = Field(default="template", description="Name of the writer of drafts.")


Read = TypeVar("Read", bound=DraftsSettings)


def read_drafts_settings(of: type[Read], **overrides: Any) -> Read:
    """Read one class of settings from the environment.

    :raises Stop: a variable is missing or has an invalid value; the message names it, without the value.
    """
    try:
        return of(**overrides)
    except ValidationError as error:
        raise invalid_settings(DRAFTS_PREFIX, error) from None
