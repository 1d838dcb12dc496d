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


def interaction_types(tenant_id: str, organization_id: str) -> str:
    """Every view that shows a type's label, icon or colour, of whatever customer."""
    return f"customers:interaction-types:{tenant_id}:{organization_id}"


def interaction_mapping(integration_id: str, tenant_id: str, organization_id: str) -> str:
    """Every view of one integration's mappings in one tenant and organization."""
    return f"integrations:interaction-mapping:{integration_id}:{tenant_id}:{organization_id}"


def of_relabel(tenant_id: str, organization_id: str) -> tuple[str, ...]:
    """The tags that a changed dictionary invalidates; projections follow with commands of their own."""
    return interaction_list(tenant_id, organization_id), interaction_types(tenant_id, organization_id)


def of_mirror(
    integration_id: str, tenant_id: str, organization_id: str, entity_id: str | None = None
) -> tuple[str, ...]:
    """The tags that a changed mirror invalidates: made, changed, adopted, given up, archived or removed.

    :param entity_id: whose interaction it mirrors; ``None``: all mirrors of the integration are concerned.
    """
    tags = (
        interaction_mapping(integration_id, tenant_id, organization_id),
        interaction_list(tenant_id, organization_id),
    )
    return tags if entity_id is None else (*tags, interactions_of_entity(entity_id))
