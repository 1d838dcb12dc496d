"""Decisions on integrations and their warnings: the values of the decisions topic (JSON, camelCase)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.events import InstantText, Published

Resolution = Literal["take_local", "take_remote", "retry", "dismissed"]
#: Kinds of warnings → what can be decided on them; on others nothing can.
CHOICES: Final[dict[str, frozenset[str]]] = {
    "conflict": frozenset({"take_local", "take_remote"}),
    "refused": frozenset({"take_local", "take_remote"}),
    "failed": frozenset({"retry", "dismissed"}),
    "detached": frozenset({"retry", "dismissed"}),
    "brake": frozenset({"dismissed"}),
    "auth": frozenset({"dismissed"}),
    "disabled": frozenset({"dismissed"}),
}
#: As the API's ids are.
WarningId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
MOST_WARNINGS: Final = 100


class SeenWarning(Published):
    """A warning as the person saw it: ``updatedAt`` is that of the list."""

    id: WarningId
    updated_at: InstantText


class WarningsDecision(Published):
    """A decision on open warnings of one integration.

    One that has changed since it was seen is left alone: the person has not seen its values.
    """

    integration_id: str
    resolution: Resolution
    warnings: list[SeenWarning] = Field(min_length=1, max_length=MOST_WARNINGS)


class IntegrationChange(Published):
    """A change of settings, policy and secrets, encrypted as a whole.

    ``content`` is base64 of ``IntegrationValues`` as JSON, sealed for this integration under the key
    ``keyId`` of ``INTERACTIONS_SECRETS_KEY``.
    """

    integration_id: str
    key_id: str
    content: str


class IntegrationRemoval(Published):
    """Removal of an integration with all that is stored of it; its mirrors stay at the provider."""

    integration_id: str


#: JSON without nesting, and the lists of a policy.
Value = str | bool | int | float | list[str] | None


class IntegrationValues(Published):
    """The values that a change names; ``None`` goes back to the default. The others stay."""

    settings: dict[str, Value] = Field(default_factory=dict)
    policy: dict[str, Value] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)


#: The event types of the topic.
DECIDE: Final = "customers.integration.decide"
CHANGE: Final = "customers.integration.change"
REMOVE: Final = "customers.integration.remove"
Decision = WarningsDecision | IntegrationChange | IntegrationRemoval
#: Every message of the topic with the model of its value.
DECISION_TYPES: Final[dict[str, type[Decision]]] = {
    DECIDE: WarningsDecision,
    CHANGE: IntegrationChange,
    REMOVE: IntegrationRemoval,
}
