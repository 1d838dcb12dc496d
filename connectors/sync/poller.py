"""Polls a provider for changes; the cursor moves in the transaction that makes them safe."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.store.checkpoints import read_checkpoint, write_checkpoint
from connectors.sync.listing import Listing, deleted_mirrors_in
from connectors.sync.mass_change_guard import (
    confirm_deletions,
    count_deletions,
    exceeds_limit,
    pause_integration,
)
from connectors.sync.pages import read_pages
from connectors.sync.record_changes import RecordedChanges, record_changes
from connectors.sync.session import Session
from runtime.postgres import Connection


@dataclass(frozen=True, slots=True)
class PollResult:
    """Result of a poll; ``taken`` is ``None`` when the mass-change guard stopped it."""

    taken: RecordedChanges | None
    changes: int


def poll(session: Session, connection: Connection, *, accept_mass_change: bool = False) -> PollResult:
    """Ask for everything since the cursor and mark it; all of it or, if the guard holds, nothing.

    :param accept_mass_change: a person has confirmed that so many deletions are meant.
    :raises InteractionsError: what the provider raised; the cursor stays behind the pages that were read.
    """
    integration = session.integration
    job = cursor_job(integration.id)
    kept = read_checkpoint(connection, job, integration.tenant_id, integration.organization_id)
    listing = Listing.begin(connection)
    pages = read_pages(session, kept["cursor"] if kept is not None else None, listing.take)
    listing.complete = listing.complete and pages.ended
    changes = [*pages.changes, *listing.unlisted(session, connection)]
    found = deleted_mirrors_in(session, connection, changes)
    if accept_mass_change:
        confirm_deletions(session, connection, found)
    elif found and exceeds_limit(session, counted := count_deletions(session, connection, found)):
        pause_integration(session, connection, counted)
        return PollResult(None, len(changes))
    with connection.transaction():
        taken = record_changes(session, connection, changes)
        write_checkpoint(
            connection, job, integration.tenant_id, integration.organization_id, {"cursor": pages.cursor}
        )
    if pages.stopped is not None:
        raise pages.stopped
    return PollResult(taken, len(changes))


def cursor_job(integration_id: str) -> str:
    """The job under which an integration's poll cursor is kept."""
    return f"connectors.poll:{integration_id}"
