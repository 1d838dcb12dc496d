"""Rows of ``integrations`` for tests that need one and nothing special of it."""

from __future__ import annotations

from sinks.sync_integrations import Integration


def an_integration(
    identity: str, tenant: str, organization: str, *, provider: str = "board", state: str = "active"
) -> Integration:
    """An integration without settings, policy or secrets."""
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
