"""The work of the drafts role: several resolutions are answered at once, each through outages."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from typing import Any, Final

import structlog

from runtime.acknowledged_sender import AcknowledgedSender
from runtime.isolated import note_isolated
from runtime.isolation_limit import IsolationLimit
from runtime.outages import AskedToStopError, describe, through_outages
from runtime.postgres import sqlstate_of
from runtime.registry_fetch import make_fetch
from runtime.retrying_connection import RetryingConnection
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.errors import Stop
from schemas.outgoing_record import OutgoingRecord
from schemas.signal_events import SIGNAL_RESOLVING
from sinks.draft_facts import DraftFacts, read_draft_facts
from streams.drafts.answer import answer
from streams.drafts.writers.interface import Writer
from streams.heartbeat import Heartbeat

_log = structlog.get_logger("drafts")
_WAIT_SECONDS: Final = 1.0
_STAGE: Final = "writing"


#: Errors that are not about one event.
_OF_THE_ROLE: Final = (AskedToStopError, CancelledError, Stop)


class Drafting:
    """Handle events of signals; several drafts are written at once.

    An event that cannot be handled is logged and skipped. The timers end its resolution.

    :param stop: ends every wait.
    """

    def __init__(
        self, settings: Settings, writer: Writer, heartbeat: Heartbeat, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._heartbeat = heartbeat
        self._stop = stop
        self._decode = AvroDecoder(make_fetch(settings), text_instants=True).decode
        self._sender = AcknowledgedSender(settings)
        self._pool = ThreadPoolExecutor(settings.drafts_workers, thread_name_prefix="draft")
        self._local = threading.local()
        self._connections: list[RetryingConnection] = []
        self._limit = IsolationLimit()

    def take(self, messages: Sequence[Any]) -> None:
        """Write a draft for each ``customers.signal.resolving``; return once the outcomes are published.

        :raises AskedToStopError: the role is stopping; the events are read once more.
        :raises Stop: too many events cannot be handled.
        """
        running: dict[Future[None], Any] = {}
        for message in messages:
            try:
                event = self._resolving(message)
            except _OF_THE_ROLE:
                raise
            except Exception as error:  # noqa: BLE001 - one event must not stop the others
                self._isolate(message, error)
            else:
                if event is not None:
                    running[self._pool.submit(self._draft, event)] = message
        while running:
            done, _ = wait(running, timeout=_WAIT_SECONDS)
            self._heartbeat.beat(_STAGE)
            for ended in done:
                message = running.pop(ended)
                try:
                    ended.result()
                except _OF_THE_ROLE:
                    raise
                except Exception as error:  # noqa: BLE001 - as above
                    self._isolate(message, error)
                else:
                    self._limit.passed(1)
        self._heartbeat.rest(_STAGE)

    def run(self) -> None:
        """Wait until asked to stop, then stop the writer and close the connections."""
        while not self._stop.wait(_WAIT_SECONDS):
            self._heartbeat.beat("drafts")
        self._writer.close()
        self._pool.shutdown(cancel_futures=True)
        for connection in self._connections:
            connection.close()

    def _isolate(self, message: Any, error: Exception) -> None:
        if self._stop.is_set():
            raise error  # perhaps an effect of the end; the event is read once more
        self._limit.isolate(error)
        # Hazard: the text of the error may contain customer text.
        note_isolated(
            "drafts.isolated",
            partition=message.partition,
            offset=message.offset,
            error=type(error).__name__,
            sqlstate=sqlstate_of(error),
        )

    def _resolving(self, message: Any) -> dict[str, Any] | None:
        headers = dict(message.headers or ())
        if headers.get("ce_type") != SIGNAL_RESOLVING.encode() or message.value is None:
            return None
        return through_outages(lambda: self._decode(message.value)[1], _note_outage, self._stop.wait)

    def _draft(self, event: dict[str, Any]) -> None:
        def send(command: OutgoingRecord) -> None:
            through_outages(lambda: self._sender.send([command]), _note_outage, self._stop.wait)

        answer(event, self._writer, self._read_facts, send)

    def _read_facts(self, signal_id: str, scope: tuple[str, str], resolution: int) -> DraftFacts | None:
        return self._connection().run(
            lambda connection: read_draft_facts(connection, signal_id, scope, resolution)
        )

    def _connection(self) -> RetryingConnection:
        found: RetryingConnection | None = getattr(self._local, "connection", None)
        if found is None:
            name = threading.current_thread().name
            found = self._local.connection = RetryingConnection(self._settings, "drafts", name, self._stop)
            self._connections.append(found)
        return found


def _note_outage(error: Exception, _seconds: float) -> None:
    _log.warning("drafts.retry", reason=describe(error))
