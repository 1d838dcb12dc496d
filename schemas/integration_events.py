"""The values of the integration events topic: JSON, camelCase, ids and tags but no customer text.

They are hints to look: the tables of the connectors are the truth.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field

from schemas.events import Published
from schemas.integration_decisions import Resolution


class IntegrationEvent(Published):
    """What all events of integrations carry."""

    integration_id: str
    provider: str


class ChangeReceived(IntegrationEvent):
    """A webhook told of a change; ``outcome`` says what was noted of it."""

    event_id: str
    external_id: str
    outcome: str


class MappingChanged(IntegrationEvent):
    """A mirror was made, changed, archived or removed; ``invalidates`` names the cache tags of its views."""

    interaction_id: str
    invalidates: list[str]


class WarningRaised(IntegrationEvent):
    """Something waits for a person: see ``interactions connectors warnings``."""

    kind: str
    interaction_id: str
    field: str | None = None


class WarningsDecided(IntegrationEvent):
    """What became of a decision: the warnings that took it, and those that were closed or had changed."""

    resolution: Resolution
    taken: list[str]
    left: list[str]


class FieldProblem(Published):
    """One field that the provider does not accept; never its value."""

    pointer: str | None = None
    detail: str
    code: str


class IntegrationChanged(IntegrationEvent):
    """Outcome of a change or removal of the integration; ``refused``: ``code`` and ``detail`` say why.

    ``state`` is that of the integration, ``mirrorsLeft`` the number of mirrors that stay at the provider.
    """

    outcome: Literal["changed", "removed", "refused"]
    state: str | None = None
    mirrors_left: int | None = None
    code: str | None = None
    detail: str | None = None
    errors: list[FieldProblem] = Field(default_factory=list)


class StateChanged(IntegrationEvent):
    """The integration stopped by itself or was removed; ``invalidates`` names the tags of its views."""

    state: Literal["needs_auth", "disabled", "needs_confirmation", "removed"]
    invalidates: list[str] = Field(default_factory=list)


class HealthChanged(IntegrationEvent):
    """The provider began or ceased to answer."""

    healthy: bool


class DriftRepaired(IntegrationEvent):
    """So many rows were missing, orphaned or untended, and are marked to be mended."""

    missed: int
    orphaned: int
    untended: int


#: Start of every event type of this topic.
PREFIX: Final = "customers.integration."
#: Every event type with the model of its value.
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
