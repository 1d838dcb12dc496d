"""Marks the ledger for the values of the event topic."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from connectors.service.open_session import utc_now
from connectors.service.retrying_connection import RetryingConnection
from connectors.store.integrations import Integration, list_integrations
from connectors.store.ledger_marks import LocalMark, mark_local
from connectors.sync.change_marks import marks_of
from runtime.postgres import Connection
from runtime.registry_fetch import make_fetch
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.errors import Retry

#: How long the table of integrations is believed; what is added later is planned over what it has missed.
_BELIEVED_SECONDS: Final = 1.0


class Marker:
    """One connection, one thread at a time.

    :param wake: called after marks were made.
    """

    def __init__(self, settings: Settings, stop: threading.Event, wake: threading.Event) -> None:
        self._patience = RetryingConnection(settings, "mark", stop)
        self._wake = wake
        self._decode = AvroDecoder(make_fetch(settings), text_instants=True).decode
        self._integrations: list[Integration] = []
        self._read_at = float("-inf")

    def __call__(self, values: Sequence[bytes | None]) -> None:
        """Mark what the events tell of; returns when it is committed, however long servers are away.

        :raises Reject: a value is not one of our events: the topic is not ours alone.
        :raises Stop: asked to stop before it could be done.
        """
        self._patience.carry_out(lambda connection: self._mark(connection, values))

    def close(self) -> None:
        """Close the connection."""
        self._patience.close()

    def _mark(self, connection: Connection, values: Sequence[bytes | None]) -> None:
        if time.monotonic() - self._read_at > _BELIEVED_SECONDS:
            self._integrations = list_integrations(connection)
            self._read_at = time.monotonic()
        if not self._integrations:
            return
        marks: list[LocalMark] = []
        for value in values:
            if value is not None:
                marks += marks_of(*self._decode(value), self._integrations)
        try:
            marked = mark_local(connection, marks, utc_now())
        except Retry:
            self._read_at = float("-inf")
            raise
        if marked:
            self._wake.set()
