"""The watch: keeps the kill metric ("saved" without a row) and the cheap invariants, all the time.

It reads the tables only and writes nothing but what it found. One leader: an advisory lock elects it.
"""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog
from prometheus_client import REGISTRY

from runtime.acknowledged_sender import AcknowledgedSender
from runtime.outages import describe, sessions
from runtime.postgres import Connection, connect
from runtime.settings import Settings
from schemas.avro_codec import Encode
from sinks.integrity.progress import load_progress, save_progress
from sinks.query_plans import KEEP_PLANS
from streams.heartbeat import Heartbeat
from streams.leadership import wait_to_lead
from streams.watch.findings import Findings
from streams.watch.late_answers import LateAnswers
from streams.watch.metrics import WatchMetrics, WatchState
from streams.watch.recent import Look, look_at_journal
from streams.watch.sweep import Sweep

_log = structlog.get_logger("watch")
_STAGE: Final = "watch"
#: Between two looks at the journal.
_LOOK_SECONDS: Final = 2.0
#: The same while an open transaction keeps the floor where it is: each look reads the same entries once more.
_BLOCKED_SECONDS: Final = 10.0
#: Between two checks of the open violations.
_CHECK_SECONDS: Final = 5.0
#: Longer than any delay between two attempts.
_EXCUSED_SECONDS: Final = 15.0
_SESSION: Final = (
    *KEEP_PLANS,
    "SET statement_timeout = '10s'",
    "SET idle_in_transaction_session_timeout = '10s'",
)


class Watch:
    """Looks at the journal every two seconds, and sweeps all rows in between."""

    def __init__(
        self, settings: Settings, encode: Encode, heartbeat: Heartbeat, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._encode = encode
        self._heartbeat = heartbeat
        self._stop = stop
        self._sender = AcknowledgedSender(settings)
        self._late = LateAnswers(settings)
        self._state = WatchState()
        self._checked_at = 0.0

    def run(self) -> None:
        """Lead, or wait to lead, until asked to stop; start over after an outage."""
        metrics = WatchMetrics(self._state)
        REGISTRY.register(metrics)
        try:
            sessions(self._session, self._note_outage, self._stop.wait)
        finally:
            REGISTRY.unregister(metrics)
            self._late.close()
        self._heartbeat.rest(_STAGE)

    def _note_outage(self, error: Exception, _seconds: float) -> None:
        _log.warning("watch.retry", reason=describe(error))
        self._heartbeat.excuse(_STAGE, _EXCUSED_SECONDS)

    def _session(self) -> None:
        self._heartbeat.beat(_STAGE)
        with connect(self._settings, application_name="interactions-watch", autocommit=True) as connection:
            if not wait_to_lead(connection, "watch", self._heartbeat, _STAGE, self._stop):
                return
            for setting in _SESSION:
                connection.execute(setting)
            try:
                self._lead(connection)
            finally:
                self._state.current_at = None

    def _lead(self, connection: Connection) -> None:
        progress = load_progress(connection)
        sweep = Sweep(connection, progress, self._settings.watch_share)
        findings = Findings(connection, self._sender.send, self._encode)
        self._state.current_at, self._state.complete_at = time.monotonic(), sweep.complete_at
        _log.info("watch.leading", floor=progress.floor)
        look_at = 0.0
        while not self._stop.is_set():
            self._heartbeat.beat(_STAGE)
            began = time.monotonic()
            if began >= look_at:
                look = look_at_journal(connection, progress)
                findings.add(look.violations)
                for subject, ids in look.touched.items():
                    sweep.touch(subject, ids)
                self._note(look, began)
                look_at = began if look.current else began + _BLOCKED_SECONDS
            findings.add(self._late.look(connection))
            findings.publish()
            if began - self._checked_at >= _CHECK_SECONDS:
                findings.check(self._late.overdue)
                self._checked_at = began
            save_progress(connection, progress)
            self._sweep_until(began + _LOOK_SECONDS, sweep, findings)

    def _sweep_until(self, until: float, sweep: Sweep, findings: Findings) -> None:
        while (left := until - time.monotonic()) > 0 and not self._stop.is_set():
            rest = sweep.resume_at - time.monotonic()
            if rest > 0:
                self._stop.wait(min(rest, left))
                continue
            began = time.monotonic()
            findings.add(sweep.run_page())
            self._state.busy["sweep"] += time.monotonic() - began
            self._state.complete_at = sweep.complete_at
        self._state.violations = findings.counts()

    def _note(self, look: Look, began: float) -> None:
        state, now = self._state, time.monotonic()
        state.behind, state.skipped = look.behind, state.skipped + look.skipped
        if look.current:
            state.current_at = now
        state.busy["recent"] += now - began
