"""The timers: publish a command for each interaction whose moment has come or has passed.

They write nothing: the applier decides, in the order of the entity's other commands, whether the
schedule still holds, and marks it, so that ``due`` and ``overdue`` come out once for each schedule.
"""

from __future__ import annotations

import threading
import time
from datetime import datetime, timedelta
from typing import Final

import orjson
import structlog
from confluent_kafka import KafkaException, Producer

from runtime.backoff import Backoff
from runtime.kafka import make_producer
from runtime.postgres import Connection, Outage, connect
from runtime.settings import Settings
from schemas.errors import Retry
from schemas.identity import derive_id
from schemas.instants import format_instant
from schemas.topics import COMMANDS
from sinks.due import DueInteraction, due_interactions, server_time
from sinks.leader_lock import try_lead
from sinks.monthly_partitions import ensure_partitions
from streams.heartbeat import Heartbeat

_log = structlog.get_logger("timers")
_TYPE: Final = "customers.interaction.mark_due"
_PAGE: Final = 1000
_TICK_SECONDS: Final = 1.0
_REPEAT_SECONDS: Final = 60.0
_FLUSH_SECONDS: Final = 10.0
#: Longer than any pause between two tries.
_EXCUSED_SECONDS: Final = 15.0
_PARTITIONS_SECONDS: Final = 3600.0


class Timers:
    """Looks for due interactions every second, and makes the coming months' partitions."""

    def __init__(self, settings: Settings, heartbeat: Heartbeat, stop: threading.Event) -> None:
        self._settings = settings
        self._heartbeat = heartbeat
        self._stop = stop
        # Commands sent lately, so that a slow applier is not sent the same one every second; sending
        # one again is harmless (its id is the same).
        self._sent: dict[str, float] = {}

    def run(self) -> None:
        """Tick until asked to stop; start over after an outage."""
        delays = Backoff(ceiling=10.0).delays()
        while not self._stop.is_set():
            self._heartbeat.beat("timers")
            try:
                self._session()
            except (Retry, Outage, KafkaException) as error:
                _log.warning("timers.retry", reason=type(error).__name__)
                self._heartbeat.excuse("timers", _EXCUSED_SECONDS)
                self._stop.wait(next(delays))
        self._heartbeat.rest("timers")

    def _session(self) -> None:
        with connect(self._settings, application_name="interactions-timers", autocommit=True) as connection:
            while not try_lead(connection, "timers"):  # the others stand by
                self._heartbeat.beat("timers")
                if self._stop.wait(1.0):
                    return
            producer = make_producer(self._settings)
            made_at: datetime | None = None
            while not self._stop.is_set():
                self._heartbeat.beat("timers")
                # Law: our own clock decides nothing; a step of it must change nothing.
                now = server_time(connection)
                if made_at is None or (now - made_at).total_seconds() > _PARTITIONS_SECONDS:
                    ensure_partitions(connection, now.date())
                    made_at = now
                self._tick(connection, producer, now)
                self._stop.wait(_TICK_SECONDS)

    def _tick(self, connection: Connection, producer: Producer, now: datetime) -> None:
        self._forget_before(time.monotonic() - _REPEAT_SECONDS)
        overdue_before = now - timedelta(seconds=self._settings.overdue_after_seconds)
        sent = 0
        for phase, before in (("due", now), ("overdue", overdue_before)):
            for item in due_interactions(connection, phase, before, _PAGE):
                sent += self._send(producer, item, phase, now)
        if not sent:
            return
        left = producer.flush(_FLUSH_SECONDS)
        if left:
            # They stay in the client's queue, which goes on trying.
            _log.warning("timers.unacknowledged", commands=left)
        _log.info("timers.sent", commands=max(0, sent - left))

    def _forget_before(self, moment: float) -> None:
        self._sent = {command_id: at for command_id, at in self._sent.items() if at > moment}

    def _send(self, producer: Producer, item: DueInteraction, phase: str, now: datetime) -> int:
        command_id = derive_id(phase, item.tenant_id, item.interaction_id, str(item.schedule_version))
        if command_id in self._sent:
            return 0
        producer.produce(
            self._settings.topic(COMMANDS),
            key=item.entity_id,
            value=orjson.dumps(
                {"id": item.interaction_id, "scheduleVersion": item.schedule_version, "phase": phase}
            ),
            headers={
                "content-type": "application/json",
                "ce_specversion": "1.0",
                "ce_id": command_id,
                "ce_source": "/customers/interactions/timers",
                "ce_type": _TYPE,
                "ce_time": format_instant(now),
                "ce_tenantid": item.tenant_id,
                "ce_organizationid": item.organization_id,
                "ce_entityid": item.entity_id,
            },
        )
        self._sent[command_id] = time.monotonic()
        return 1
