"""Minimal rows of ``integrations`` and its warnings for tests."""

from __future__ import annotations

from typing import Any

from connectors.store.integrations import Integration
from connectors.store.warnings import SyncWarning


def an_integration(
    identity: str, tenant: str, organization: str, *, provider: str = "board", state: str = "active"
) -> Integration:
    """Integration without settings, policy or secrets."""
    return Integration(
        id=identity,
        tenant_id=tenant,
        organization_id=organization,
        provider=provider,
        settings={},
        policy={},
        secrets=b"",
        secrets_key_id="k1",
        state=state,
    )


def a_warning(integration: str, tenant: str, organization: str, interaction: str, **more: Any) -> SyncWarning:
    """Conflict on a title, unless overridden."""
    given: dict[str, Any] = {
        "kind": "conflict",
        "field": "title",
        "detail": "look",
        "local_value": "here",
        "remote_value": "there",
    }
    return SyncWarning(
        integration_id=integration,
        tenant_id=tenant,
        organization_id=organization,
        interaction_id=interaction,
        **(given | more),
    )
