"""Types that cross the boundary between the engine and a provider; the same for every provider."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An object to create.

    :param marker: text to store in the object; unique per interaction and integration.
    :param values: every declared outgoing field, ``None`` where empty.
    """

    interaction_id: str
    marker: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteObject:
    """An object as the provider holds it.

    :param external_id: the provider's id; immutable.
    :param url: https URL of the object's page for users.
    :param values: every declared field, in this project's types (aware UTC instants, ``planned`` /
        ``done`` / ``canceled``), without the marker. A field that cannot be read is absent.
    :param version: version for conditional writes (an ETag), if the provider has one.
    :param updated_at: time of the last change, by the provider's clock.
    :param archived: hidden, as ``archive`` leaves it.
    :param marker: our marker, if the object carries one.
    :param extra: provider-only fields, shown under ``_integrations.<id>``; plain JSON, no secrets.
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
    """The object no longer exists, or is no longer accessible to us.

    :param elsewhere: set when the object was not deleted but moved out of reach: one sentence for the user.
        The interaction then keeps its status.
    """

    external_id: str
    elsewhere: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteChange:
    """A hint that an object may have changed. The engine reads the object before it acts.

    :param event_id: the provider's id of the event, equal on redelivery; without one, the object's id and
        version.
    :param occurred_at: time of the change, by the provider's clock; ``None`` when unknown.
    :param kind: ``gone`` only when the object was deleted permanently.
    :param state: the object after the change, if the event carries all of it; saves a read when the engine
        already knows that state.
    """

    event_id: str
    external_id: str
    occurred_at: datetime | None
    kind: Literal["changed", "gone"] = "changed"
    state: RemoteObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePage:
    """One page of a poll.

    :param cursor: start of the next poll; stored once every change of the page is durable.
    :param more: call again immediately with ``cursor``.
    :param skipped: skipped objects: external id → reason. The plan counts them; a mirror among them gets
        a warning.
    :param starts_full_listing: this page and the following ones, up to the first without ``more``, list
        every object. A mirror that they omit is treated as deleted after a read confirms it.
    """

    changes: tuple[RemoteChange, ...]
    cursor: str
    more: bool = False
    skipped: Mapping[str, str] = field(default_factory=dict)
    starts_full_listing: bool = False

    @property
    def skip_counts(self) -> dict[str, int]:
        """Number of skipped objects by reason."""
        return dict(Counter(self.skipped.values()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Result of a health check.

    :param detail: one sentence for the user; no secrets.
    """

    ok: bool
    detail: str
