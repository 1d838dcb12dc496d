"""Settings of an outgoing webhook."""

from __future__ import annotations

import base64
import binascii
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, field_validator

from connectors.sdk.declaration import ProviderSettings
from connectors.sdk.digest import DigestTime

_PREFIX: Final = "whsec_"
_ZONES: Final = frozenset(available_timezones())


class WebhookSettings(ProviderSettings):
    """URL that receives the changes, and the signing secret."""

    url: str = Field(description="https URL that receives the changes")
    secret: SecretStr = Field(description="Signing secret: `whsec_` followed by 24 to 64 bytes in base64")
    previous_secret: SecretStr | None = Field(
        None, description="Previous secret, during a rotation: deliveries carry both signatures"
    )
    disable_after: int = Field(
        100, ge=1, description="Disable the integration after this many consecutive failed deliveries"
    )
    digest_hour: int | None = Field(
        None,
        ge=0,
        le=23,
        description="Send a daily digest from this local hour on, 0 to 23: the planned interactions that are"
        " overdue and those due today, by owner. Empty: no digest",
    )
    digest_zone: str = Field(
        "UTC", description="Time zone of that hour and of the digest's days, such as Europe/Berlin"
    )

    @field_validator("digest_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in _ZONES:
            raise ValueError("must be the name of a time zone, such as Europe/Berlin")
        return zone

    @field_validator("url")
    @classmethod
    def _https(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme != "https" or not parts.hostname or parts.username or parts.password:
            raise ValueError("must begin with https:// and contain no credentials")
        if parts.port == 0:  # reading a port above 65535 raises
            raise ValueError("must not name port 0")
        return url

    @field_validator("secret", "previous_secret")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not 24 <= len(key_of(secret)) <= 64:
            raise ValueError("must be `whsec_` followed by 24 to 64 bytes in base64")
        return secret


def digest_time(settings: WebhookSettings) -> DigestTime | None:
    """Time of the daily digest, if there is one."""
    if settings.digest_hour is None:
        return None
    return DigestTime(settings.digest_hour, ZoneInfo(settings.digest_zone))


def key_of(secret: SecretStr) -> bytes:
    """The signing key of a secret; empty if it is malformed."""
    try:
        return base64.b64decode(secret.get_secret_value().removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        return b""
