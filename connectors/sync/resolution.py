"""Resolve warnings as a person chose: take the local value, take the remote value, retry, or dismiss."""

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
    """Apply a resolution to warnings, and return the warnings that it applies to.

    ``take_local`` and ``take_remote`` refer to the values in the warning: if either side has changed since,
    the conflict is raised again. A warning whose kind does not allow the resolution is left unchanged.
    """
    fitting = [warning.id for warning in warnings if resolution in CHOICES.get(warning.kind, frozenset())]
    with connection.transaction():
        chosen = choose_resolution(connection, fitting, resolution, by)
        for warning in chosen:
            if warning.kind == "detached" and resolution == "retry" and warning.interaction_id:
                want_mirror(connection, *_mark_and_marker(warning, warning.interaction_id), now)
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


def _mark_and_marker(warning: SyncWarning, interaction_id: str) -> tuple[RemoteMark, str]:
    mark = RemoteMark(
        integration_id=warning.integration_id,
        interaction_id=interaction_id,
        tenant_id=warning.tenant_id,
        organization_id=warning.organization_id,
        event_id=None,
        changed_at=None,
    )
    return mark, marker_of(warning.integration_id, interaction_id)
