"""Leases on transactional ids: a restarted applier process takes over the id of a former one.

A killed applier leaves a Kafka transaction open, which hides later results from ``read_committed``
consumers. The next process that initializes the same transactional id aborts that transaction at once.
Ids are therefore numbered from 0, and each one is leased by a session-level advisory lock in Postgres, which
ends with its process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop

_LOCK: Final = 0x1A7E0006
_IDS: Final = 256


@dataclass(frozen=True, slots=True)
class TransactionalIdLease:
    """A leased transactional id; the lease ends when the connection closes."""

    transactional_id: str
    connection: Connection

    def held(self) -> bool:
        """Return whether the lease is still held: it is lost when the database ends the session."""
        try:
            self.connection.execute("SELECT 1")
        except Outage:
            self.connection.close()
            return False
        return True


@dataclass(frozen=True, slots=True)
class OwnTransactionalId:
    """An id that belongs to one process at a time by other means."""

    transactional_id: str

    def held(self) -> bool:
        """Return true: the id needs no lease."""
        return True


def lease_transactional_id(settings: Settings) -> TransactionalIdLease:
    """Lease the lowest free id.

    :raises Retry: the database cannot be reached now.
    :raises Stop: every id is leased.
    """
    connection = connect(settings, application_name="interactions-applier-slot", autocommit=True)
    prefix = f"{settings.topic_prefix}{settings.consumer_group}"
    try:
        for number in range(_IDS):
            row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK, number)).fetchone()
            if row is not None and row[0]:
                return TransactionalIdLease(f"{prefix}-{number}", connection)
    except Outage as error:
        connection.close()
        raise Retry("the database ended the session while a transactional id was being leased") from error
    connection.close()
    raise Stop(
        f"all {_IDS} transactional ids are leased by running appliers; this one cannot publish results and"
        " ends. Stop an applier first"
    )
