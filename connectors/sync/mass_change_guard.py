"""Mass-change guard: stop an integration for confirmation after an implausible number of remote deletions.

Deletions are counted per integration over a sliding window, however they were found: by a poll, by a complete
listing, or by a push whose object is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from connectors.store.checkpoints import read_checkpoint, write_checkpoint
from connectors.store.integrations import lock_integration, set_state
from connectors.store.mappings import count_deleted, count_mappings
from connectors.store.warnings import SyncWarning, raise_warning
from connectors.sync.mirror_events import announce_state
from connectors.sync.session import Session
from runtime.postgres import Connection
from schemas.errors import Retry
from schemas.instants import format_instant, parse_instant

_log = structlog.get_logger("connectors")
#: Window over which deletions are counted.
WINDOW: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Deletions:
    """Deletions of mirrors at one integration.

    :param found: unconfirmed deletions to apply now.
    :param recent: unconfirmed deletions applied within the window.
    :param mirrored: current number of mirrors, including those in ``found``.
    """

    found: int
    recent: int
    mirrored: int

    def exceed(self, most: int, share: float) -> bool:
        """Compare with the limits of the policy; both must be exceeded."""
        return bool(self.found) and self.found + self.recent > max(
            most, share * (self.mirrored + self.recent)
        )


class MassChange(Retry):
    """The guard holds a deletion back; it stays due until a person confirms."""

    def __init__(self, counted: Deletions) -> None:
        super().__init__("more objects were deleted at the provider than the policy allows")
        self.counted = counted


def admit_deletion(session: Session, connection: Connection) -> None:
    """Check one more deletion. Call it in the transaction that applies it: the lock serializes the workers.

    :raises MassChange: the deletion would exceed the limit.
    """
    lock_integration(connection, session.integration.id)
    counted = count_deletions(session, connection, 1)
    if exceeds_limit(session, counted):
        raise MassChange(counted)


def count_deletions(session: Session, connection: Connection, found: int) -> Deletions:
    """Count ``found`` new deletions together with those in the window."""
    integration, since, confirmed = session.integration, session.now() - WINDOW, 0
    kept = read_checkpoint(connection, _job(session), integration.tenant_id, integration.organization_id)
    if kept is not None and (confirmed_at := parse_instant(kept["confirmedAt"])) > since:
        since, confirmed = confirmed_at, kept["confirmed"]
    applied = count_deleted(connection, integration.id, since)
    return Deletions(
        found=max(0, found - max(0, confirmed - applied)),
        recent=max(0, applied - confirmed),
        mirrored=count_mappings(connection, integration.id),
    )


def exceeds_limit(session: Session, counted: Deletions) -> bool:
    """Report whether the deletions exceed the policy's limits."""
    return counted.exceed(session.policy.most_deletions, session.policy.most_deleted_share)


def confirm_deletions(session: Session, connection: Connection, found: int) -> None:
    """Admit ``found`` deletions from now on, and restart the window."""
    integration = session.integration
    write_checkpoint(
        connection,
        _job(session),
        integration.tenant_id,
        integration.organization_id,
        {"confirmedAt": format_instant(session.now()), "confirmed": found},
    )


def explain(session: Session, counted: Deletions) -> str:
    """Message for the operator: the number of deletions, and the next step."""
    total = counted.found + counted.recent
    return (
        f"{total} of {counted.mirrored + counted.recent} mirrored objects were deleted at the provider;"
        f" {counted.found} of them are held back. Check the provider first. If the deletions are intended,"
        f" confirm with `interactions connectors sync {session.integration.id} --accept-mass-change`; undo"
        f" mistaken cancellations with `interactions connectors restore {session.integration.id}`"
    )


def pause_integration(session: Session, connection: Connection, counted: Deletions) -> None:
    """Stop the integration until a person confirms."""
    integration, detail = session.integration, explain(session, counted)
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
        deletions=counted.found + counted.recent,
        mirrored=counted.mirrored,
    )
    announce_state(session, "needs_confirmation")


def _job(session: Session) -> str:
    return f"connectors.guard:{session.integration.id}"
