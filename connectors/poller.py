"""Polls a provider for changes; the cursor moves in the transaction that makes them safe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog

from connectors.intake import Taken, take_in
from connectors.link import Link
from connectors.mirror_events import announce_state
from connectors.remote import RemoteChange
from runtime.postgres import Connection
from sinks.checkpoints import read_checkpoint, write_checkpoint
from sinks.sync_integrations import set_state
from sinks.sync_mappings import count_mappings, mapping_to
from sinks.sync_warnings import SyncWarning, raise_warning

_log = structlog.get_logger("connectors")
_MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll came to; ``taken`` is ``None`` when the brake stopped it."""

    taken: Taken | None
    changes: int


def poll(link: Link, connection: Connection, *, accept_mass_change: bool = False) -> Polled:
    """Ask for everything since the cursor and mark it; all of it or, by the brake, nothing.

    :param accept_mass_change: a person has confirmed that so many deletions are meant.
    :raises InteractionsError: what the provider raised; the cursor stays.
    """
    integration = link.integration
    job = cursor_job(integration.id)
    kept = read_checkpoint(connection, job, integration.tenant_id, integration.organization_id)
    cursor = kept["cursor"] if kept is not None else None
    changes: list[RemoteChange] = []
    more = True
    while more and len(changes) < _MOST:
        page = link.provider.changes(cursor)
        changes += page.changes
        cursor, more = page.cursor, page.more
    if not accept_mass_change and _brakes(link, connection, changes):
        return Polled(None, len(changes))
    with connection.transaction():
        taken = take_in(link, connection, changes)
        write_checkpoint(
            connection, job, integration.tenant_id, integration.organization_id, {"cursor": cursor}
        )
    return Polled(taken, len(changes))


def cursor_job(integration_id: str) -> str:
    """The job under which an integration's poll cursor is kept."""
    return f"connectors.poll:{integration_id}"


def _brakes(link: Link, connection: Connection, changes: list[RemoteChange]) -> bool:
    """Stop and ask when a poll tells of more deletions than anyone makes by hand."""
    integration = link.integration
    gone = {change.external_id for change in changes if change.kind == "gone"}
    if len(gone) <= link.policy.most_deletions:
        return False
    ours = sum(1 for external_id in gone if mapping_to(connection, integration.id, external_id) is not None)
    all_ours = count_mappings(connection, integration.id)
    if ours <= max(link.policy.most_deletions, link.policy.most_deleted_share * all_ours):
        return False
    detail = (
        f"the provider tells that {ours} of {all_ours} mirrored objects were deleted; nothing was applied."
        " Confirm with `interactions connectors sync --accept-mass-change`, or look at the provider first"
    )
    with connection.transaction():
        set_state(connection, integration.id, "needs_confirmation", detail, only_from="active")
        raise_warning(
            connection,
            SyncWarning(
                integration_id=integration.id,
                tenant_id=integration.tenant_id,
                organization_id=integration.organization_id,
                kind="brake",
                detail=detail,
            ),
        )
    _log.error(
        "connectors.mass_change_stopped",
        integration=integration.id,
        tenant=integration.tenant_id,
        organization=integration.organization_id,
        deletions=ours,
        mirrored=all_ours,
    )
    announce_state(link, "needs_confirmation")
    return True
