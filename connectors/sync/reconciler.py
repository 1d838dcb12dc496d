"""Reconciler: find changes that events and webhooks missed, and mark them (spec "Mapping Drift")."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Final

import structlog

from connectors.store.checkpoints import write_checkpoint
from connectors.store.drift import Drift, mark_drift
from connectors.sync.poller import PollResult, cursor_job, poll
from connectors.sync.session import Session
from runtime.postgres import Connection

_log = structlog.get_logger("connectors")
#: Changes younger than this may still arrive as events.
_GRACE: Final = timedelta(minutes=2)


def reconcile(session: Session, connection: Connection, *, grace: timedelta = _GRACE) -> Drift:
    """Compare interactions with ledger and mappings, mark every difference, and return the counts.

    :param grace: leave out changes younger than this.
    """
    integration = session.integration
    now = session.now()
    drift = mark_drift(
        connection,
        integration.id,
        integration.tenant_id,
        integration.organization_id,
        now=now,
        before=now - grace,
        closed=session.declaration.mirrors_closed,
    )
    if drift.missed or drift.orphaned or drift.untended:
        _log.warning(
            "connectors.drift_repaired",
            integration=integration.id,
            tenant=integration.tenant_id,
            organization=integration.organization_id,
            **asdict(drift),
        )
        session.announce("drift_repaired", integration, None, asdict(drift))
    return drift


def relist_provider(session: Session, connection: Connection) -> PollResult:
    """List the whole provider again and mark every difference; the poll cursor starts over."""
    integration = session.integration
    write_checkpoint(
        connection,
        cursor_job(integration.id),
        integration.tenant_id,
        integration.organization_id,
        {"cursor": None},
    )
    return poll(session, connection)
