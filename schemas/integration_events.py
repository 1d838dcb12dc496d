"""Values of the integration events topic (Avro): ids and cache tags, without customer text.

The events are hints; the tables of the connectors are authoritative.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from schemas.events import Published
from schemas.integration_decisions import Resolution


class IntegrationEvent(Published):
    """Fields common to all events of integrations."""

    integration_id: str
    provider: str


class ChangeReceived(IntegrationEvent):
    """A webhook reported a change; ``outcome`` is what was recorded for it."""

    event_id: str
    external_id: str
    outcome: str


class MappingChanged(IntegrationEvent):
    """A mirror was created, changed, archived or removed; ``invalidates`` lists the tags of its views."""

    interaction_id: str
    invalidates: list[str]


class WarningRaised(IntegrationEvent):
    """A warning needs a decision by a user: see ``interactions connectors warnings``."""

    kind: str
    interaction_id: str
    field: str | None = None


class WarningsDecided(IntegrationEvent):
    """Outcome of a decision: ``taken`` are the warnings it applied to, ``left`` those closed or changed."""

    resolution: Resolution
    taken: list[str]
    left: list[str]


class FieldProblem(Published):
    """One field that the provider does not accept, without its value."""

    pointer: str | None = None
    detail: str
    code: str


class IntegrationChanged(IntegrationEvent):
    """Outcome of an addition, change, removal or operation.

    ``code`` and ``detail`` give the reason if it was refused; ``detail`` is also the result of a test.
    ``state`` is the state of the integration. ``mirrorsLeft`` is the number of mirrors that stay at the
    provider. ``rows`` is the number of ledger rows that an operation has made due.
    """

    outcome: Literal["changed", "removed", "refused", "added", "done"]
    state: str | None = None
    mirrors_left: int | None = None
    code: str | None = None
    detail: str | None = None
    errors: list[FieldProblem] = Field(default_factory=list)
    rows: int | None = None


class StateChanged(IntegrationEvent):
    """The integration was stopped, started or removed; ``invalidates`` lists the cache tags of its views."""

    state: Literal["active", "paused", "needs_auth", "disabled", "needs_confirmation", "removed"]
    invalidates: list[str] = Field(default_factory=list)


class HealthChanged(IntegrationEvent):
    """The provider became available or unavailable."""

    healthy: bool


class DriftRepaired(IntegrationEvent):
    """Numbers of missing, orphaned and untended rows that the reconciler has marked for repair."""

    missed: int
    orphaned: int
    untended: int


#: Prefix of all event types of this topic.
PREFIX: Final = "customers.integration."
#: Event type → model of its value.
INTEGRATION_EVENT_TYPES: Final[dict[str, type[IntegrationEvent]]] = {
    f"{PREFIX}change_received": ChangeReceived,
    f"{PREFIX}mapping_changed": MappingChanged,
    f"{PREFIX}warning": WarningRaised,
    f"{PREFIX}decided": WarningsDecided,
    f"{PREFIX}changed": IntegrationChanged,
    f"{PREFIX}state_changed": StateChanged,
    f"{PREFIX}health_changed": HealthChanged,
    f"{PREFIX}drift_repaired": DriftRepaired,
}
