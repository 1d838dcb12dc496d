"""Wait to lead: one process of a role is active, the others stand by."""

from __future__ import annotations

import threading
from typing import Final

from runtime.postgres import Connection
from sinks.leader_lock import try_lead
from streams.heartbeat import Heartbeat

_SECONDS: Final = 1.0


def wait_to_lead(
    connection: Connection,
    duty: str,
    heartbeat: Heartbeat,
    stage: str,
    stop: threading.Event,
    every: float = _SECONDS,
) -> bool:
    """Wait until this session leads a duty; return false if the process is asked to stop before that.

    :param stage: beats meanwhile.
    :param every: seconds between two attempts.
    """
    while not try_lead(connection, duty):
        heartbeat.beat(stage)
        if stop.wait(every):
            return False
    return True
