"""What goes to and comes from a provider, in words that are the same for every provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An object to make.

    :param marker: a text to put into the object; unique for this interaction and integration.
    :param values: every declared outgoing field, ``None`` where empty.
    """

    interaction_id: str
    marker: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteObject:
    """An object as the provider holds it.

    :param external_id: the provider's id; it never changes.
    :param url: its page for people, https.
    :param values: every declared field, in this project's types (aware UTC instants, ``planned`` /
        ``done`` / ``canceled``); the marker is not part of a value. A field that cannot be read is missing.
    :param version: for conditional writes (an ETag), if there is one.
    :param updated_at: when it was last changed, by the provider's clock.
    :param archived: out of sight, as ``archive`` leaves it.
    :param marker: our marker, when it carries one.
    :param extra: provider-only fields, shown under ``_integrations.<id>``; plain JSON, no secret.
    """

    external_id: str
    values: Mapping[str, Any]
    url: str | None = None
    version: str | None = None
    updated_at: datetime | None = None
    archived: bool = False
    marker: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """The object does not exist any more, or for us.

    :param elsewhere: one sentence for a person when it was not deleted but moved out of reach; then its
        interaction stays as it is.
    """

    external_id: str
    elsewhere: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteChange:
    """A sign that an object may have changed; the engine reads the object itself before it acts.

    :param event_id: the provider's id of the event, the same at a redelivery; where there is none, the
        object's id and version.
    :param occurred_at: when it was changed, by the provider's clock; ``None`` when unknown.
    :param kind: ``gone`` only when the object was deleted for good.
    :param state: the object after the change, if the provider tells it whole; it spares a read when
        nothing is new in it.
    """

    event_id: str
    external_id: str
    occurred_at: datetime | None
    kind: Literal["changed", "gone"] = "changed"
    state: RemoteObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """One page of a poll.

    :param cursor: where the next poll goes on; kept once every change of the page is safe.
    :param more: call again at once with ``cursor``.
    :param left_alone: objects that were skipped: external id → reason. The plan counts them; a mirror
        among them gets a warning.
    :param starts_over: this page and those that follow, up to the one without ``more``, name every object
        there is; a mirror that none of them names is taken for deleted once a look confirms it.
    """

    changes: tuple[RemoteChange, ...]
    cursor: str
    more: bool = False
    left_alone: Mapping[str, str] = field(default_factory=dict)
    starts_over: bool = False

    @property
    def skipped(self) -> dict[str, int]:
        """Number of objects that were left alone, by reason."""
        return dict(Counter(self.left_alone.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a provider is.

    :param detail: one sentence for a person; no secret.
    """

    ok: bool
    detail: str
