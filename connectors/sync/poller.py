"""Poll a provider for changes; the cursor advances in the transaction that stores their change marks."""

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
    """Result of a poll; ``recorded`` is ``None`` when the mass-change guard stopped it."""

    recorded: RecordedChanges | None
    changes: int


def poll(session: Session, connection: Connection, *, accept_mass_change: bool = False) -> PollResult:
    """Read and mark all changes since the cursor, or none if the mass-change guard stops the poll.

    :param accept_mass_change: a person has confirmed the number of deletions.
    :raises InteractionsError: raised by the provider; the cursor has advanced past the pages that were read.
    """
    integration = session.integration
    job = cursor_job(integration.id)
    kept = read_checkpoint(connection, job, integration.tenant_id, integration.organization_id)
    listing = Listing.begin(connection)
    pages = read_pages(session, kept["cursor"] if kept is not None else None, listing.add)
    listing.complete = listing.complete and pages.ended
    changes = [*pages.changes, *listing.inferred_changes(session, connection)]
    found = deleted_mirrors_in(session, connection, changes)
    if accept_mass_change:
        confirm_deletions(session, connection, found)
    elif found and exceeds_limit(session, counted := count_deletions(session, connection, found)):
        pause_integration(session, connection, counted)
        return PollResult(None, len(changes))
    with connection.transaction():
        recorded = record_changes(session, connection, changes)
        write_checkpoint(
            connection, job, integration.tenant_id, integration.organization_id, {"cursor": pages.cursor}
        )
    if pages.stopped is not None:
        raise pages.stopped
    return PollResult(recorded, len(changes))


def cursor_job(integration_id: str) -> str:
    """Checkpoint name of an integration's poll cursor."""
    return f"connectors.poll:{integration_id}"
