"""Sources of todos that live in another module: settings, read from ``INTERACTIONS_JOBS_TODO_SOURCES``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.settings import invalid_settings

JOBS_PREFIX = "INTERACTIONS_JOBS_"


class SqlTodos(BaseModel):
    """A query of another database.

    :param query: with the parameters ``%(ids)s``, ``%(tenant)s`` and ``%(organization)s``; its columns are
        named as in ``legacy_todos``, ``id`` and ``title`` at least.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["sql"]
    url: SecretStr
    query: str


class HttpTodos(BaseModel):
    """An HTTP service, which receives ``{source, tenantId, organizationId, ids}`` and returns ``{items}``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["http"]
    url: str = Field(pattern=r"^https?://")
    token: SecretStr | None = None
    seconds: float = Field(default=10.0, gt=0, description="Time limit of one exchange.")


class JobsSettings(BaseSettings):
    """Settings of the jobs role."""

    model_config = SettingsConfigDict(
        env_prefix=JOBS_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    todo_sources: dict[str, Annotated[SqlTodos | HttpTodos, Field(discriminator="kind")]] = Field(
        default_factory=dict, description="JSON object: value of todo_source → where its todos are."
    )


def read_jobs_settings() -> JobsSettings:
    """Read the settings from the environment.

    :raises Stop: a variable has an invalid value; the message names it, without the value.
    """
    try:
        return JobsSettings()
    except ValidationError as error:
        raise invalid_settings(JOBS_PREFIX, error) from None
