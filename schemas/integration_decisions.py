"""Values of the decisions topic: decisions on integrations and their warnings (JSON, camelCase)."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from schemas.events import InstantText, Published

Resolution = Literal["take_local", "take_remote", "retry", "dismissed"]
#: Kind of warning → possible decisions; other kinds allow none.
CHOICES: Final[dict[str, frozenset[str]]] = {
    "conflict": frozenset({"take_local", "take_remote"}),
    "refused": frozenset({"take_local", "take_remote"}),
    "failed": frozenset({"retry", "dismissed"}),
    "detached": frozenset({"retry", "dismissed"}),
    "brake": frozenset({"dismissed"}),
    "auth": frozenset({"dismissed"}),
    "disabled": frozenset({"dismissed"}),
}
#: Same form as the ids of the API.
WarningId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
MAX_WARNINGS: Final = 100


class SeenWarning(Published):
    """Reference to a warning as the user saw it: ``updatedAt`` is the value from the list."""

    id: WarningId
    updated_at: InstantText


class WarningsDecision(Published):
    """Decision on open warnings of one integration.

    A warning that has changed since the user saw it is skipped, because its current values were not seen.
    """

    integration_id: str
    resolution: Resolution
    warnings: list[SeenWarning] = Field(min_length=1, max_length=MAX_WARNINGS)


class IntegrationChange(Published):
    """Change of an integration's settings, policy and secrets, encrypted as a whole.

    ``content`` is ``IntegrationValues`` as JSON, encrypted for this integration with the key ``keyId`` of
    ``INTERACTIONS_SECRETS_KEY``, in base64.
    """

    integration_id: str
    key_id: str
    content: str


class IntegrationRemoval(Published):
    """Removal of an integration and all data stored for it; its mirrors stay at the provider."""

    integration_id: str


class IntegrationAddition(Published):
    """New integration. It waits for confirmation of its first sync.

    ``content`` is ``IntegrationValues`` as JSON, encrypted like that of an ``IntegrationChange``.
    """

    integration_id: str
    provider: str
    key_id: str
    content: str


#: ``plan`` previews the first sync, ``start`` confirms it, ``test`` checks that the provider answers.
Operation = Literal["pause", "resume", "retry", "plan", "start", "test"]
#: Ledger rows with work: not tried yet, failed and due later, given up.
Unfinished = Literal["waiting", "failing", "blocked"]
MAX_RETRIED: Final = 1_000


class IntegrationOperation(Published):
    """Operation on one integration.

    ``interactions`` and ``only`` belong to ``retry``: the named ledger rows, or all those in one state, or
    all with work. ``acceptMassChange`` belongs to ``start``: the deletions at the provider are intended.
    """

    integration_id: str
    operation: Operation
    interactions: list[WarningId] = Field(default_factory=list, max_length=MAX_RETRIED)
    only: Unfinished | None = None
    accept_mass_change: bool = False


#: Scalar JSON values, and the lists of a policy.
Value = str | bool | int | float | list[str] | None


class IntegrationValues(Published):
    """Values to change; ``None`` resets one to its default. Values that are not listed stay unchanged."""

    settings: dict[str, Value] = Field(default_factory=dict)
    policy: dict[str, Value] = Field(default_factory=dict)
    secrets: dict[str, str] = Field(default_factory=dict)


#: Message types of the topic.
DECIDE: Final = "customers.integration.decide"
CHANGE: Final = "customers.integration.change"
REMOVE: Final = "customers.integration.remove"
ADD: Final = "customers.integration.add"
OPERATE: Final = "customers.integration.operate"
Decision = (
    WarningsDecision | IntegrationChange | IntegrationRemoval | IntegrationAddition | IntegrationOperation
)
#: Message type → model of its value.
DECISION_TYPES: Final[dict[str, type[Decision]]] = {
    DECIDE: WarningsDecision,
    CHANGE: IntegrationChange,
    REMOVE: IntegrationRemoval,
    ADD: IntegrationAddition,
    OPERATE: IntegrationOperation,
}
