"""Settings of a CalDAV integration, and the credentials they stand for."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import time
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator

from connectors.sdk.declaration import ProviderSettings


class CaldavSettings(ProviderSettings):
    """A server or a calendar on it, and the credentials for it."""

    url: str = Field(description="URL of the server, of your principal or of the calendar itself")
    username: str | None = Field(None, description="User name; leave out if the server needs none")
    password: SecretStr | None = Field(None, description="Password; prefer an app-specific one")
    bearer_token: SecretStr | None = Field(None, description="Bearer token, instead of a password")
    calendar: str | None = Field(
        None, description="Name of the calendar; required if several calendars hold to-dos"
    )
    include_others: bool = Field(False, description="Also import to-dos that other people created")
    time_zone: ZoneInfo = Field(ZoneInfo("UTC"), description="Time zone of due dates that name none")
    day_time: time = Field(time(9), description="Time of day for due dates without one, here or there")

    @field_validator("url")
    @classmethod
    def _encrypted(cls, url: str) -> str:
        parts = urlsplit(url)
        local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
        if parts.scheme != "https" and not (parts.scheme == "http" and local):
            raise ValueError("must begin with https:// (http:// only on this machine)")
        if parts.port == 0:  # reading a port above 65535 raises
            raise ValueError("must not name port 0")
        if parts.username or parts.password:
            raise ValueError("must not contain credentials: set `username` and `password` instead")
        return url


def authorization(settings: CaldavSettings) -> dict[str, str]:
    """Authorization header from the settings; empty without credentials."""
    if settings.bearer_token is not None:
        return {"Authorization": f"Bearer {settings.bearer_token.get_secret_value()}"}
    if settings.username is None or settings.password is None:
        return {}
    pair = f"{settings.username}:{settings.password.get_secret_value()}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def remote_calendar(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Identity of the calendar, from the stored settings."""
    parts = urlsplit(settings["url"])
    # Below a server root or a principal URL, the calendars depend on the authenticated user.
    who = settings.get("username") or ""
    return parts.netloc.lower(), parts.path.rstrip("/"), who, settings.get("calendar") or ""
