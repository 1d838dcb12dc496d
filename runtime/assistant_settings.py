"""Settings of ``interactions mcp``, read from ``INTERACTIONS_MCP_<NAME>``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from runtime.settings import invalid_settings
from schemas.errors import Stop

MCP_PREFIX: Final = "INTERACTIONS_MCP_"


class AssistantSettings(BaseSettings):
    """The gateway, and the identity of the user for whom the assistant works."""

    model_config = SettingsConfigDict(
        env_prefix=MCP_PREFIX, env_ignore_empty=True, extra="ignore", frozen=True
    )

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^#?\s]+$",
        description="Base URL of the gateway; by default that of the running local stack.",
    )
    token: SecretStr | None = Field(default=None, description="Bearer token for the gateway.")
    token_file: Path | None = Field(
        default=None, description="File with the token, read for each request, so that it can be renewed."
    )
    timeout_seconds: float = Field(
        default=90.0, gt=0, description="Wait for an answer of the gateway; then the outcome is not known."
    )

    def bearer(self) -> Callable[[], str]:
        """A function that returns the current token.

        :raises Stop: there is no identity, or two.
        """
        if self.token is not None and self.token_file is not None:
            raise Stop(f"Set {MCP_PREFIX}TOKEN or {MCP_PREFIX}TOKEN_FILE, not both.")
        if self.token is not None:
            fixed = self.token.get_secret_value()
            return lambda: fixed
        if self.token_file is not None:
            file = self.token_file
            return lambda: _token_in(file)
        raise Stop(
            f"interactions mcp does not start without an identity. Set {MCP_PREFIX}TOKEN, or"
            f" {MCP_PREFIX}TOKEN_FILE to a file with the token. For the local stack, `interactions token`"
            " prints one."
        )


def _token_in(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Stop(f"{MCP_PREFIX}TOKEN_FILE: {file} cannot be read ({type(error).__name__}).") from None


def read_assistant_settings() -> AssistantSettings:
    """Read the settings from the environment.

    :raises Stop: a variable has an invalid value; the message names it.
    """
    try:
        return AssistantSettings()
    except ValidationError as error:
        raise invalid_settings(MCP_PREFIX, error) from None
