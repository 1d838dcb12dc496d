"""Delivery of an integration's daily digest: one per local date, in its zone."""

from __future__ import annotations

from connectors.store.digest import last_digest, note_digest, read_digest
from connectors.sync.session import Session
from runtime.postgres import Connection
from schemas.errors import Retry
from sinks.leader_lock import resign, try_lead


def send_due_digest(session: Session, connection: Connection) -> bool:
    """Deliver today's digest, if its hour has begun and it was not delivered yet; return whether it was.

    A digest that was missed is made up until the end of its day. Days that have passed get none.

    :raises Retry: it was not delivered, or another process is delivering it.
    """
    at, integration = session.digest, session.integration
    now = session.now()
    day = at.day(now) if at is not None else None
    if at is None or day is None:
        return False
    duty = f"digest:{integration.id}"
    if not try_lead(connection, duty):
        raise Retry("Another process is delivering the digest.")
    try:
        last = last_digest(connection, integration)
        if last is not None and last >= day:
            return False
        session.provider.send_digest(read_digest(connection, integration, at, now, session.policy.only_types))
        # Hazard: a process that dies here delivers the digest once more, under the same message id.
        session.crash_point("connector-after-digest-before-note")
        note_digest(connection, integration, day)
        return True
    finally:
        resign(connection, duty)
