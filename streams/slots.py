"""A stable identity for each applier process: a transactional id that a restarted one takes over.

A killed applier leaves a Kafka transaction open, which hides later results from readers. The next
process that starts with the same transactional id ends it at once; so ids are slots, and a slot is
held by a session lock in Postgres that ends with its process.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.errors import Retry, Stop

_LOCK: Final = 0x1A7E0006
_SLOTS: Final = 256


@dataclass(frozen=True, slots=True)
class Slot:
    """A claimed slot; the connection must stay open as long as the slot is used."""

    transactional_id: str
    connection: Connection


def claim_slot(settings: Settings, patience: float = 30.0) -> Slot:
    """Claim the lowest free slot.

    :param patience: seconds to wait for the database.
    :raises Stop: the database cannot be reached in time, or every slot is taken.
    """
    connection = _connect(settings, time.monotonic() + patience)
    prefix = f"{settings.topic_prefix}{settings.consumer_group}"
    for number in range(_SLOTS):
        row = connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (_LOCK, number)).fetchone()
        if row is not None and row[0]:
            return Slot(f"{prefix}-{number}", connection)
    connection.close()
    raise Stop(f"all {_SLOTS} applier slots are taken")


def _connect(settings: Settings, deadline: float) -> Connection:
    while True:
        try:
            return connect(settings, application_name="interactions-applier-slot", autocommit=True)
        except Retry as error:
            if time.monotonic() > deadline:
                raise Stop(f"no database to claim a slot in: {error}") from error
            time.sleep(0.5)
