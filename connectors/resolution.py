"""What a person decides on warnings: take ours, take the provider's, try again, or leave it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runtime.postgres import Connection
from schemas.integration_decisions import CHOICES, Resolution
from sinks.sync_ledger import retry_units
from sinks.sync_mappings import delete_mapping
from sinks.sync_warnings import SyncWarning, choose, settle_warnings


def resolve(
    connection: Connection,
    warnings: Sequence[SyncWarning],
    resolution: Resolution,
    *,
    by: str,
    now: datetime,
) -> list[SyncWarning]:
    """Decide on warnings, one or many; those that took the decision.

    ``take_local`` and ``take_remote`` hold for the values that the warning shows: if either side has
    changed since, the conflict is raised anew. A warning on which this cannot be decided is left alone.
    """
    fitting = [warning.id for warning in warnings if resolution in CHOICES.get(warning.kind, frozenset())]
    with connection.transaction():
        chosen = choose(connection, fitting, resolution, by)
        for warning in chosen:
            if warning.kind == "detached" and resolution == "retry" and warning.interaction_id:
                # Without its mapping the interaction gets a new mirror.
                delete_mapping(connection, warning.integration_id, warning.interaction_id)
            if resolution != "dismissed" and warning.interaction_id is not None:
                retry_units(connection, warning.integration_id, [warning.interaction_id], now)
        settle_warnings(
            connection,
            [
                warning.id
                for warning in chosen
                if resolution == "dismissed" or (resolution == "retry" and warning.kind == "detached")
            ],
        )
    return chosen
