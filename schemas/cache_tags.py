"""Cache tags (spec "Cache Policy"), defined only here.

Readers that cache a view under a tag and writers that invalidate it call the same function, so that the two
always agree on the text.
"""

from __future__ import annotations


def interactions_of_entity(entity_id: str) -> str:
    """Tag of all views of one entity's interactions."""
    return f"customers:interaction:entity:{entity_id}"


def next_interaction_of_entity(entity_id: str) -> str:
    """Tag of all views of one entity's projection: next and last interaction, counts."""
    return f"customers:next-interaction:entity:{entity_id}"


def interaction_list(tenant_id: str, organization_id: str) -> str:
    """Tag of all interaction lists of one tenant and organization."""
    return f"customers:interaction:list:{tenant_id}:{organization_id}"


def feature_flags(tenant_id: str) -> str:
    """Tag of all views that depend on one tenant's feature flags."""
    return f"customers:feature-flags:{tenant_id}"


def interaction_types(tenant_id: str, organization_id: str) -> str:
    """Tag of all views that show the label, icon or colour of a type, for any customer."""
    return f"customers:interaction-types:{tenant_id}:{organization_id}"


def interaction_mapping(integration_id: str, tenant_id: str, organization_id: str) -> str:
    """Tag of all views of one integration's mappings in one tenant and organization."""
    return f"integrations:interaction-mapping:{integration_id}:{tenant_id}:{organization_id}"


def signal_list(tenant_id: str, organization_id: str) -> str:
    """Tag of all signal lists of one tenant and organization."""
    return f"customers:signal:list:{tenant_id}:{organization_id}"


def signals_of_interaction(interaction_id: str) -> str:
    """Tag of all views of one interaction's signals."""
    return f"customers:signal:interaction:{interaction_id}"


def draft_list(tenant_id: str, organization_id: str) -> str:
    """Tag of all draft lists of one tenant and organization."""
    return f"customers:draft:list:{tenant_id}:{organization_id}"


def drafts_of_signal(signal_id: str) -> str:
    """Tag of all views of one signal's drafts."""
    return f"customers:draft:signal:{signal_id}"


def of_signal(tenant_id: str, organization_id: str, interaction_id: str) -> tuple[str, ...]:
    """Tags that any change of a signal invalidates."""
    return signals_of_interaction(interaction_id), signal_list(tenant_id, organization_id)


def of_draft(tenant_id: str, organization_id: str, signal_id: str) -> tuple[str, ...]:
    """Tags that any change of a draft invalidates."""
    return drafts_of_signal(signal_id), draft_list(tenant_id, organization_id)


def of_erasure(tenant_id: str, organization_id: str, entity_id: str) -> tuple[str, ...]:
    """Tags that the erasure of a customer invalidates.

    Hazard: not those of single interactions and signals, of which there may be any number.
    """
    return (
        interactions_of_entity(entity_id),
        next_interaction_of_entity(entity_id),
        interaction_list(tenant_id, organization_id),
        signal_list(tenant_id, organization_id),
        draft_list(tenant_id, organization_id),
    )


def of_relabel(tenant_id: str, organization_id: str) -> tuple[str, ...]:
    """Tags that a dictionary change invalidates; projections are updated by separate commands."""
    return interaction_list(tenant_id, organization_id), interaction_types(tenant_id, organization_id)


def of_mirror(
    integration_id: str, tenant_id: str, organization_id: str, entity_id: str | None = None
) -> tuple[str, ...]:
    """Tags that any change of a mirror invalidates, from its creation to its removal.

    :param entity_id: entity of the mirrored interaction; ``None`` when all mirrors of the integration change.
    """
    tags = (
        interaction_mapping(integration_id, tenant_id, organization_id),
        interaction_list(tenant_id, organization_id),
    )
    return tags if entity_id is None else (*tags, interactions_of_entity(entity_id))
