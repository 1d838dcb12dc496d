"""The timers: publish a command for each interaction that is due or overdue, and for each late draft.

Timers write nothing to the database. The applier decides, in the order of the entity's other commands,
whether the schedule still applies, and marks it. So ``due`` and ``overdue`` are published once per schedule.
"""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
import structlog
from confluent_kafka import Producer

from runtime.kafka import make_producer
from runtime.outages import AskedToStopError, describe, sessions
from runtime.postgres import Connection, connect
from runtime.produce import produce
from runtime.settings import Settings
from schemas.cloudevent_headers import JSON, event_headers
from schemas.identity import derive_id
from schemas.instants import format_instant
from schemas.outgoing_record import OutgoingRecord
from schemas.signal_payloads import SIGNAL_FAIL_DRAFT
from schemas.topics import COMMANDS
from sinks.due import DueInteraction, LateResolution, due_interactions, late_resolutions, server_time
from sinks.monthly_partitions import ensure_partitions
from streams.heartbeat import Heartbeat
from streams.leadership import wait_to_lead
from streams.timers.repeats import Repeats

_log = structlog.get_logger("timers")
_MARK_DUE: Final = "customers.interaction.mark_due"
_PAGE: Final = 1000
_TICK_SECONDS: Final = 1.0
_FLUSH_SECONDS: Final = 10.0
#: Longer than any delay between two attempts.
_EXCUSED_SECONDS: Final = 15.0
_PARTITIONS_SECONDS: Final = 3600.0


class Timers:
    """Polls for due interactions every second, and creates the monthly partitions ahead of time."""

    def __init__(self, settings: Settings, heartbeat: Heartbeat, stop: threading.Event) -> None:
        self._settings = settings
        self._heartbeat = heartbeat
        self._stop = stop
        # A slow applier must not receive the same command every second.
        self._repeats = {queue: Repeats() for queue in ("due", "overdue", "late")}

    def run(self) -> None:
        """Poll until asked to stop; start over after an outage."""
        sessions(self._session, self._note_outage, self._stop.wait)
        self._heartbeat.rest("timers")

    def _note_outage(self, error: Exception, _seconds: float) -> None:
        _log.warning("timers.retry", reason=describe(error))
        self._heartbeat.excuse("timers", _EXCUSED_SECONDS)

    def _session(self) -> None:
        self._heartbeat.beat("timers")
        with connect(self._settings, application_name="interactions-timers", autocommit=True) as connection:
            if not wait_to_lead(connection, "timers", self._heartbeat, "timers", self._stop):
                return
            producer = make_producer(self._settings)
            ensured_at: datetime | None = None
            while not self._stop.is_set():
                self._heartbeat.beat("timers")
                # Invariant: the process's own wall clock decides nothing, so a step of it changes nothing.
                now = server_time(connection)
                if ensured_at is None or (now - ensured_at).total_seconds() > _PARTITIONS_SECONDS:
                    ensure_partitions(connection, now.date())
                    ensured_at = now
                self._tick(connection, producer, now)
                self._stop.wait(_TICK_SECONDS)

    def _tick(self, connection: Connection, producer: Producer, now: datetime) -> None:
        overdue_before = now - timedelta(seconds=self._settings.overdue_after_seconds)
        sent = 0
        for phase, before in (("due", now), ("overdue", overdue_before)):
            repeats = self._repeats[phase]
            for item in due_interactions(connection, phase, before, _PAGE, repeats.left_out()):
                if repeats.due(item.interaction_id, item.schedule_version):
                    self._send(producer, _mark_due(item, phase, now))
                    repeats.sent(item.interaction_id, item.schedule_version)
                    sent += 1
        repeats = self._repeats["late"]
        late = now - timedelta(seconds=self._settings.resolution_deadline_seconds)
        for signal in late_resolutions(connection, late, _PAGE, repeats.left_out()):
            if repeats.due(signal.signal_id, signal.resolution):
                self._send(producer, _fail_draft(signal, now))
                repeats.sent(signal.signal_id, signal.resolution)
                sent += 1
        if not sent:
            return
        left = producer.flush(_FLUSH_SECONDS)
        if left:
            # They stay in the producer's queue, which keeps retrying.
            _log.warning("timers.unacknowledged", commands=left)
        _log.info("timers.sent", commands=max(0, sent - left))

    def _send(self, producer: Producer, record: OutgoingRecord) -> None:
        produce(producer, self._settings.topic(record.topic), record, waiting=self._wait_for_room)

    def _wait_for_room(self) -> None:
        self._heartbeat.beat("timers")
        if self._stop.is_set():
            raise AskedToStopError("the timers are asked to stop")


def _mark_due(item: DueInteraction, phase: str, now: datetime) -> OutgoingRecord:
    """Build the command that marks an interaction as due or overdue."""
    command_id = derive_id(phase, item.tenant_id, item.interaction_id, str(item.schedule_version), _hour(now))
    data = {"id": item.interaction_id, "scheduleVersion": item.schedule_version, "phase": phase}
    return _command(_MARK_DUE, command_id, item, data, now)


def _fail_draft(late: LateResolution, now: datetime) -> OutgoingRecord:
    """Build the command that ends a resolution without a draft."""
    command_id = derive_id("late-draft", late.tenant_id, late.signal_id, str(late.resolution), _hour(now))
    data = {
        "id": late.signal_id,
        "resolution": late.resolution,
        "code": "deadline_exceeded",
        "detail": "No draft was written in time. Resolve the signal again.",
    }
    return _command(SIGNAL_FAIL_DRAFT, command_id, late, data, now)


def _hour(now: datetime) -> str:
    """Part of a command id that changes every hour.

    Without it, each repetition of a command that changed nothing (the broker's clock was minutes behind)
    would be a duplicate. A repetition in the next hour is harmless: each mark is made once.
    """
    return now.strftime("%Y-%m-%dT%H")


def _command(
    kind: str, command_id: str, item: DueInteraction | LateResolution, data: dict[str, Any], now: datetime
) -> OutgoingRecord:
    headers = event_headers(
        JSON,
        id=command_id,
        source="/customers/interactions/timers",
        type=kind,
        time=format_instant(now),
        tenantid=item.tenant_id,
        organizationid=item.organization_id,
        entityid=item.entity_id,
    )
    return OutgoingRecord(COMMANDS, item.entity_id, orjson.dumps(data), headers)
