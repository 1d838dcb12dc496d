"""Dictionary commands of the two tenants: one open, one strict."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from examples.week.sample import Sample, Scope, cloud_event, new_id


def scopes(seed: int) -> tuple[Scope, Scope]:
    """The scopes of a seed's two tenants; the second has a strict dictionary."""
    rng = random.Random(f"scopes/{seed}")
    return Scope(new_id(rng), new_id(rng)), Scope(new_id(rng), new_id(rng))


def dictionary_samples(seed: int, now: datetime) -> Iterator[Sample]:
    """Yield both dictionaries, made before the week begins.

    Hazard: they are keyed by organization and the week's commands by entity, so they are on other
    partitions. Only waiting for their results applies them first (see ``docs/commands.md``, "Order").
    """
    rng = random.Random(f"dictionaries/{seed}")
    made_at = now - timedelta(days=8)
    for scope, strict in zip(scopes(seed), (False, True), strict=True):
        visit = {
            "interactionType": "Site visit",
            "label": "Site visit",
            "icon": "map-pin",
            "color": "#7A5195",
            "actionable": True,
        }
        for data in (visit, {"interactionType": "call", "label": "Phone call", "strict": strict}):
            event = cloud_event(
                rng, scope, "interaction_type.upsert", scope.organization_id, made_at=made_at, data=data
            )
            yield Sample(made_at, event)
