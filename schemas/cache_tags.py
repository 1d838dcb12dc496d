"""Cache tags (spec "Cache Policy"): the only place where one is written.

Whoever keeps a view under a tag and whoever invalidates it call the same function, so the two can
never disagree on the text.
"""

from __future__ import annotations


def interactions_of_entity(entity_id: str) -> str:
    """Every view of one entity's interactions."""
    return f"customers:interaction:entity:{entity_id}"


def next_interaction_of_entity(entity_id: str) -> str:
    """Every view of one entity's projection: next and last interaction, counts."""
    return f"customers:next-interaction:entity:{entity_id}"


def interaction_list(tenant_id: str, organization_id: str) -> str:
    """Every list of interactions of one tenant and organization."""
    return f"customers:interaction:list:{tenant_id}:{organization_id}"


def feature_flags(tenant_id: str) -> str:
    """Every view that depends on one tenant's feature flags."""
    return f"customers:feature-flags:{tenant_id}"


def interaction_mapping(integration_id: str, tenant_id: str, organization_id: str) -> str:
    """Every view of one integration's mappings in one tenant and organization."""
    return f"integrations:interaction-mapping:{integration_id}:{tenant_id}:{organization_id}"
