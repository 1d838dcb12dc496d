"""Declaration of a provider: command line, help and documentation derive from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.sdk.digest import DigestTime
from connectors.sdk.provider import FIELDS, Provider, ProviderContext

Feature = Literal["read", "find", "poll", "webhooks"]


class ProviderSettings(BaseModel):
    """Base of a provider's settings; a ``SecretStr`` field is stored encrypted.

    Give every field a ``description``: users are prompted with it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """Names of the secret fields."""
        return frozenset(
            name
            for name, field in cls.model_fields.items()
            if field.annotation is SecretStr or SecretStr in getattr(field.annotation, "__args__", ())
        )


def unchanged(value: Any) -> Any:
    """The provider stores the value without loss."""
    return value


def shared_remote(_settings: Mapping[str, Any]) -> None:
    """Allow several integrations with one remote."""


def no_digest(_settings: Any) -> None:
    """Send no digest."""


def replaced(_local: Any, remote: Any) -> Any:
    """Use the remote value as the local one."""
    return remote


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredField:
    """A field that the provider can store.

    :param name: one of ``connectors.sdk.provider.FIELDS``.
    :param remote_name: the provider's name of the field, for display.
    :param coarse: the part of a value that the provider can store (a date without its time, 1,000
        characters). Values with equal coarse forms are equal to the provider. Idempotent.
    :param refine: the new local value, from the previous local value and the changed remote value: if the
        provider stores dates only, the time of day is kept.
    :param direction: ``out``: only written to the provider; ``in``: only read from it.
    :param loss: sentence for users about what ``coarse`` loses.
    """

    name: str
    remote_name: str
    coarse: Callable[[Any], Any] = unchanged
    refine: Callable[[Any, Any], Any] = replaced
    direction: Literal["both", "out", "in"] = "both"
    loss: str | None = None

    def __post_init__(self) -> None:
        if self.name not in FIELDS:
            raise ValueError(f"{self.name!r} cannot be mirrored; the fields are {', '.join(FIELDS)}")
        if (self.coarse is not unchanged) != (self.loss is not None):
            raise ValueError(f"{self.name}: set both `coarse` and `loss`, or neither")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most ``requests`` requests in any ``seconds`` seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """Declaration of one provider: ``DECLARATION`` in its module under ``connectors/providers``.

    :param name: the module's name; letters, digits and ``_``.
    :param make: creates the provider of one integration from its settings.
    :param features: ``read`` an object by id, ``find`` it by our marker, ``poll`` for changes, receive
        ``webhooks``. Without ``read`` the integration is outbound only.
    :param hosts: hosts of external URLs that may be shown, subdomains included (``trello.com`` allows
        ``www.trello.com``); computed from the settings for self-hosted services.
    :param remote: identity of the board or calendar, from the stored settings without secrets. Two
        integrations of one organization must not share it.
    :param conditional_writes: ``update`` raises ``Conflict`` when the object has changed since ``base``;
        without this the engine reads before each write.
    :param mirrors_closed: also create objects for interactions that are already done or canceled.
    :param public_addresses_only: refuse connections to private, loopback and link-local addresses.
    :param poll_seconds: pause between polls without webhooks; ten times as long with webhooks.
    :param retry_seconds: pauses before each retry; an item that fails after the last one is blocked, with a
        warning. Empty: the engine's own backoff.
    :param digest: time of a daily digest, from the settings, or ``None``. A provider that declares
        it has ``send_digest``.
    :param guarantees: sentences for users on what the integration does and does not do.
    """

    name: str
    title: str
    summary: str
    settings: type[ProviderSettings]
    make: Callable[[Any, ProviderContext], Provider]
    fields: tuple[MirroredField, ...]
    features: frozenset[Feature]
    hosts: Callable[[Any], tuple[str, ...]]
    limits: tuple[RateLimit, ...]
    remote: Callable[[Mapping[str, Any]], tuple[str, ...] | None] = shared_remote
    conditional_writes: bool = False
    mirrors_closed: bool = False
    public_addresses_only: bool = False
    poll_seconds: float = 60.0
    retry_seconds: tuple[float, ...] = ()
    digest: Callable[[Any], DigestTime | None] = no_digest
    guarantees: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names) or "status" not in names:
            raise ValueError(f"{self.name}: declare each field once, and declare `status`")
        if "find" in self.features and "read" not in self.features:
            raise ValueError(f"{self.name}: `find` requires `read`")
        if self.features & {"poll", "webhooks"} and "read" not in self.features:
            raise ValueError(f"{self.name}: `poll` and `webhooks` require `read`")
