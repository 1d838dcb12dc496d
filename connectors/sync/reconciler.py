"""The reconciler: finds what events and webhooks have missed, and has it mended (spec "Mapping Drift")."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from typing import Final

import structlog

from connectors.store.checkpoints import write_checkpoint
from connectors.store.drift import Drift, mark_drift
from connectors.store.echoes import purge_echoes
from connectors.store.webhook_receipts import purge_receipts
from connectors.sync.poller import PollResult, cursor_job, poll
from connectors.sync.session import Session
from runtime.postgres import Connection

_log = structlog.get_logger("connectors")
#: Changes younger than this are on their way as events.
_SETTLING: Final = timedelta(minutes=2)
_RECEIPTS_KEPT: Final = timedelta(days=30)


def reconcile(session: Session, connection: Connection, *, settling: timedelta = _SETTLING) -> Drift:
    """Compare the core with the ledger and the mappings, mark what differs; what was found."""
    integration = session.integration
    now = session.now()
    drift = mark_drift(
        connection,
        integration.id,
        integration.tenant_id,
        integration.organization_id,
        now=now,
        before=now - settling,
        closed=session.declaration.mirrors_closed,
    )
    purge_echoes(connection, now)
    purge_receipts(connection, now - _RECEIPTS_KEPT)
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
    """List the whole provider again and mark what differs from what is agreed; the cursor starts over."""
    integration = session.integration
    write_checkpoint(
        connection,
        cursor_job(integration.id),
        integration.tenant_id,
        integration.organization_id,
        {"cursor": None},
    )
    return poll(session, connection)
