"""A stable identity for each applier process: a transactional id that a restarted one takes over.

A killed applier leaves a Kafka transaction open, which hides later results from readers. The next
process that starts with the same transactional id ends it at once; so ids are slots, and a slot is
held by a session lock in Postgres that ends with its process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop

_LOCK: Final = 0x1A7E0006
_SLOTS: Final = 256


@dataclass(frozen=True, slots=True)
class TransactionalIdLease:
    """A claimed slot; the connection must stay open as long as the slot is used."""

    transactional_id: str
    connection: Connection

    def held(self) -> bool:
        """Whether it is still ours: a database that ended our session has freed it for others."""
        try:
            self.connection.execute("SELECT 1")
        except Outage:
            self.connection.close()
            return False
        return True


def lease_transactional_id(settings: Settings) -> TransactionalIdLease:
    """Claim the lowest free slot.

    :raises Retry: the database cannot be reached now.
    :raises Stop: every slot is taken.
    """
    connection = connect(settings, application_name="interactions-applier-slot", autocommit=True)
    prefix = f"{settings.topic_prefix}{settings.consumer_group}"
    try:
        for number in range(_SLOTS):
            row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK, number)).fetchone()
            if row is not None and row[0]:
                return TransactionalIdLease(f"{prefix}-{number}", connection)
    except Outage as error:
        connection.close()
        raise Retry("the database ended the search for a slot") from error
    connection.close()
    raise Stop(f"all {_SLOTS} applier slots are taken")
