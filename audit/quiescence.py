"""Wait for quiescence: every command applied, answered and published."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Final

from audit.history import RelayPosition
from audit.kafka_reader import KafkaReader, first_record
from audit.servers_reachable import servers_reachable
from runtime.postgres import connect
from runtime.settings import Settings
from schemas.topics import COMMANDS

_POLL: Final = 0.5
_WATERMARK: Final = (
    "SELECT partition, next_offset FROM consumed_offsets WHERE consumer_group = %s AND topic = %s"
)
_WAITING: Final = """
SELECT EXISTS (SELECT FROM journal WHERE events > 0 AND NOT (xid < %(floor)s
    OR (%(ceiling)s::bigint IS NOT NULL AND xid < %(ceiling)s AND position <= %(position)s)))
"""


def wait_for_quiescence(settings: Settings, seconds: float) -> bool:
    """Poll until the pipeline is idle twice in a row; ``False`` on timeout.

    :raises Stop: a server is unavailable.
    """
    deadline = time.monotonic() + seconds
    rested = 0
    with servers_reachable(), closing(KafkaReader(settings)) as kafka:
        while True:
            rested = rested + 1 if _is_quiescent(settings, kafka) else 0
            if rested > 1:
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(min(_POLL, max(0.0, deadline - time.monotonic())))


def _is_quiescent(settings: Settings, kafka: KafkaReader) -> bool:
    begin, end = kafka.bounds(COMMANDS)
    with connect(settings, application_name="interactions-audit-wait", autocommit=True) as connection:
        names = (settings.consumer_group, settings.topic(COMMANDS))
        watermark: dict[int, int] = dict(connection.execute(_WATERMARK, names).fetchall())
        positions = kafka.relay_positions()
        relay = positions.get("states") or positions.get("0") or RelayPosition(0, None, 0)
        waiting = connection.execute(_WAITING, relay._asdict()).fetchone()
    if waiting is None or waiting[0]:
        return False
    committed = kafka.committed()
    # Offsets need not reach the log end: transaction markers follow the last record.
    for behind in (watermark, committed):
        start = {partition: max(first, behind.get(partition, 0)) for partition, first in begin.items()}
        if first_record(kafka, COMMANDS, start, end) is not None:
            return False
    return True
