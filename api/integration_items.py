"""JSON forms of integrations, their ledger rows, plans and providers."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.instants import instant_text
from api.queries.scope import Row
from api.response_models import Id, ResponseModel, Timestamp


class LedgerCounts(ResponseModel):
    """Ledger rows by state.

    `waiting` were not tried yet, `failing` failed and are retried, `blocked` were given up until they change
    or are retried by hand, `synced` have no work.
    """

    waiting: int
    failing: int
    blocked: int
    synced: int


class IntegrationItem(ResponseModel):
    """An integration: its state, its health and its backlog.

    `switchedOn` is the tenant's flag for external sync: while it is off, nothing is synced. `lastSuccessAt`
    is the time of the last mirror that was synced, `oldestDueAt` that of the longest waiting row.
    """

    id: str
    provider: str
    state: str
    reason: str | None
    switched_on: bool
    healthy: bool | None
    health: str | None
    health_at: Timestamp | None
    last_success_at: Timestamp | None
    mirrored: int
    ledger: LedgerCounts
    oldest_due_at: Timestamp | None
    warnings: int
    created_at: Timestamp
    updated_at: Timestamp


def integration_item(row: Row) -> dict[str, Any]:
    """JSON form of a row, without settings."""
    return {
        "id": row["id"],
        "provider": row["provider"],
        "state": row["state"],
        "reason": row["state_reason"],
        "switchedOn": row["switched_on"],
        "healthy": row["healthy"],
        "health": row["health_detail"],
        "healthAt": instant_text(row["health_at"]),
        "lastSuccessAt": instant_text(row["last_success_at"]),
        "mirrored": row["mirrored"],
        "ledger": {name: row[name] for name in ("waiting", "failing", "blocked", "synced")},
        "oldestDueAt": instant_text(row["oldest_due_at"]),
        "warnings": row["warnings"],
        "createdAt": instant_text(row["created_at"]),
        "updatedAt": instant_text(row["updated_at"]),
    }


class LedgerItem(ResponseModel):
    """A ledger row: the interaction, its state, the reason of the last failure and the next attempt."""

    interaction_id: Id
    entity_id: Id | None
    interaction_type: str | None
    title: str | None
    state: str
    attempts: int
    reason: str | None
    next_attempt_at: Timestamp | None
    external_id: str | None
    external_url: str | None
    last_synced_at: Timestamp | None
    updated_at: Timestamp


def ledger_item(row: Row) -> dict[str, Any]:
    """JSON form of a ledger row."""
    return {
        "interactionId": row["id"],
        "entityId": row["entity_id"],
        "interactionType": row["interaction_type"],
        "title": row["title"],
        "state": row["state"],
        "attempts": row["attempts"],
        "reason": row["last_error"],
        "nextAttemptAt": instant_text(row["next_attempt_at"]),
        "externalId": row["external_id"],
        "externalUrl": row["external_url"],
        "lastSyncedAt": instant_text(row["last_synced_at"]),
        "updatedAt": instant_text(row["updated_at"]),
    }


class IntegrationPlan(ResponseModel):
    """Preview of the first sync: counts per action and reason. Nothing was written.

    `state` is `running`, `made` or `failed` (with `reason`). `massChange` says why the deletions need a
    confirmation of their own (`acceptMassChange`); `null` if they do not.
    """

    state: str
    at: Timestamp
    interactions: dict[str, int] = Field(default_factory=dict)
    objects: dict[str, int] = Field(default_factory=dict)
    deleted: int = 0
    mass_change: str | None = None
    reason: str | None = None


class SettingField(ResponseModel):
    """A setting, for a form. A `secret` is never shown, and belongs into `secrets` of a request."""

    name: str
    type: str
    format: str | None
    choices: list[Any] | None
    required: bool
    secret: bool
    default: Any
    help: str


class MirroredFieldItem(ResponseModel):
    """A field that the provider stores; ``loss`` says what it cannot keep."""

    name: str
    remote_name: str
    direction: str
    loss: str | None


class RateLimitItem(ResponseModel):
    """At most ``requests`` requests in any ``seconds`` seconds."""

    requests: int
    seconds: float


class ProviderItem(ResponseModel):
    """A provider: its settings, features, fields, guarantees and limits."""

    name: str
    title: str
    summary: str
    settings: list[SettingField]
    features: list[str]
    fields: list[MirroredFieldItem]
    guarantees: list[str]
    limits: list[RateLimitItem]
    mirrors_closed: bool
    poll_seconds: float | None
