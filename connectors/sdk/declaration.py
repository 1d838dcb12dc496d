"""How a provider declares itself: command line, documentation and pages derive from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, SecretStr

from connectors.sdk.provider import FIELDS, Provider, ProviderContext

Feature = Literal["read", "find", "poll", "webhooks"]


class ProviderSettings(BaseModel):
    """Base of a provider's settings; a field of type ``SecretStr`` is kept encrypted.

    Give every field a ``description``: people are asked for it by that sentence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def secret_fields(cls) -> frozenset[str]:
        """The names of the secret fields."""
        return frozenset(
            name
            for name, field in cls.model_fields.items()
            if field.annotation is SecretStr or SecretStr in getattr(field.annotation, "__args__", ())
        )


def unchanged(value: Any) -> Any:
    """The provider holds the value as it is."""
    return value


def nowhere(_settings: Mapping[str, Any]) -> None:
    """Several integrations may share the remote."""


def replaced(_local: Any, remote: Any) -> Any:
    """The remote value as it is becomes the local one."""
    return remote


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredField:
    """A field that the provider can hold.

    :param name: one of ``connectors.sdk.provider.FIELDS``.
    :param remote_name: what the provider calls it, for people.
    :param coarse: what the provider can hold of a value (a date without its time, 1,000 characters);
        two values that are the same here are the same to the provider. Idempotent.
    :param refine: the local value after the remote one has changed, from the local value before and the
        remote one: where the provider knows a date only, the time of day is kept.
    :param direction: ``out``: only ever written to the provider; ``in``: only ever read from it.
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
            raise ValueError(f"{self.name}: a coarse form and a sentence on the loss go together")


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """At most ``requests`` requests in any ``seconds`` seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """One provider; a module under ``connectors/providers`` holds it as ``DECLARATION``.

    :param name: the module's name; letters, digits and ``_``.
    :param make: makes the provider of one integration from its settings.
    :param features: ``read`` an object by id, ``find`` it by our marker, ``poll`` for changes, receive
        ``webhooks``. Without ``read`` the integration only goes out.
    :param hosts: hosts of external URLs that may be shown, also those below them (``trello.com``
        admits ``www.trello.com``); computed from the settings where people bring their own server.
    :param remote: identity of the board or calendar from the settings as stored, without secrets; one
        organization has one integration with it.
    :param conditional_writes: ``update`` raises ``Conflict`` when the object has changed since ``base``;
        without it the engine reads before each write.
    :param mirrors_closed: whether interactions that are done or canceled before they were ever mirrored
        get an object of their own.
    :param public_addresses_only: refuse to talk to private, loopback and link-local addresses.
    :param poll_seconds: pause between polls when there are no webhooks; ten times as long with them.
    :param retry_seconds: pauses before the tries after the first one; an item that fails after the last is
        given up with a warning. Empty: growing pauses of the engine's own.
    :param guarantees: sentences for people on what the integration does and does not.
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
    remote: Callable[[Mapping[str, Any]], tuple[str, ...] | None] = nowhere
    conditional_writes: bool = False
    mirrors_closed: bool = False
    public_addresses_only: bool = False
    poll_seconds: float = 60.0
    retry_seconds: tuple[float, ...] = ()
    guarantees: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names) or "status" not in names:
            raise ValueError(f"{self.name}: each field once, and `status` among them")
        if "find" in self.features and "read" not in self.features:
            raise ValueError(f"{self.name}: `find` needs `read`")
        if self.features & {"poll", "webhooks"} and "read" not in self.features:
            raise ValueError(f"{self.name}: incoming changes need `read`")
