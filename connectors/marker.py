"""Marks the ledger for the values of the event topic."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

import structlog

from connectors.links import utc_now
from connectors.marking import marks_of
from runtime.backoff import Backoff
from runtime.postgres import Connection, Outage, connect
from runtime.registry_fetch import make_fetch
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.errors import Retry, Stop
from sinks.sync_integrations import Integration, list_integrations
from sinks.sync_ledger import LocalMark, mark_local

_log = structlog.get_logger("connectors")
#: How long the table of integrations is believed; what is added later is planned over what it has missed.
_BELIEVED_SECONDS: Final = 1.0


class Marker:
    """One connection, one thread at a time.

    :param wake: called after marks were made.
    """

    def __init__(self, settings: Settings, stop: threading.Event, wake: threading.Event) -> None:
        self._settings = settings
        self._stop = stop
        self._wake = wake
        self._decode = AvroDecoder(make_fetch(settings), text_instants=True).decode
        self._connection: Connection | None = None
        self._integrations: list[Integration] = []
        self._read_at = float("-inf")

    def __call__(self, values: Sequence[bytes | None]) -> None:
        """Mark what the events tell of; returns when it is committed, however long servers are away.

        :raises Reject: a value is not one of our events: the topic is not ours alone.
        :raises Stop: asked to stop before it could be done.
        """
        delays = Backoff(ceiling=10.0).delays()
        while True:
            try:
                self._mark(values)
                return
            except (Outage, Retry) as error:
                _log.warning("connectors.marking_waits", reason=type(error).__name__)
                self.close()
                if self._stop.wait(next(delays)):
                    raise Stop("asked to stop before the marks were made") from error

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _mark(self, values: Sequence[bytes | None]) -> None:
        if self._connection is None:
            self._connection = connect(
                self._settings, application_name="interactions-connectors-agent", autocommit=True
            )
        if time.monotonic() - self._read_at > _BELIEVED_SECONDS:
            self._integrations = list_integrations(self._connection)
            self._read_at = time.monotonic()
        if not self._integrations:
            return
        marks: list[LocalMark] = []
        for value in values:
            if value is not None:
                marks += marks_of(*self._decode(value), self._integrations)
        if mark_local(self._connection, marks, utc_now()):
            self._wake.set()
