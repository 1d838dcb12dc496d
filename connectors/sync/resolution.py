"""What a person decides on warnings: take ours, take the provider's, try again, or leave it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from connectors.store.ledger_intents import want_mirror
from connectors.store.ledger_marks import RemoteMark, retry_items
from connectors.store.warnings import SyncWarning, choose_resolution, close_warnings
from connectors.sync.session import marker_of
from runtime.postgres import Connection
from schemas.integration_decisions import CHOICES, Resolution


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
        chosen = choose_resolution(connection, fitting, resolution, by)
        for warning in chosen:
            if warning.kind == "detached" and resolution == "retry" and warning.interaction_id:
                want_mirror(connection, *_wanted(warning, warning.interaction_id), now)
            elif resolution != "dismissed" and warning.interaction_id is not None:
                retry_items(connection, warning.integration_id, [warning.interaction_id], now)
        close_warnings(
            connection,
            [
                warning.id
                for warning in chosen
                if resolution == "dismissed" or (resolution == "retry" and warning.kind == "detached")
            ],
        )
    return chosen


def _wanted(warning: SyncWarning, interaction_id: str) -> tuple[RemoteMark, str]:
    mark = RemoteMark(
        integration_id=warning.integration_id,
        interaction_id=interaction_id,
        tenant_id=warning.tenant_id,
        organization_id=warning.organization_id,
        event_id=None,
        changed_at=None,
    )
    return mark, marker_of(warning.integration_id, interaction_id)
