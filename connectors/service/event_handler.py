"""Event handler: write change marks to the ledger for records of the events topic."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

import structlog

from connectors.service.open_session import utc_now
from connectors.store.erasure import release_erased
from connectors.store.integrations import Integration, list_integrations
from connectors.store.ledger_marks import LocalMark, mark_local
from connectors.sync.change_marks import erased_customer, marks_for_event
from runtime.postgres import Connection
from runtime.registry_fetch import make_fetch
from runtime.retrying_connection import RetryingConnection
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.errors import Retry
from sinks.erasure.erased import ErasedCustomer

_log = structlog.get_logger("connectors")
#: Cache time of the integrations table. The initial plan of a new integration covers events missed meanwhile.
_CACHE_SECONDS: Final = 1.0


class EventHandler:
    """Handle event records. Owns one connection; use it from one thread at a time.

    :param wake: set after marks were written.
    """

    def __init__(self, settings: Settings, stop: threading.Event, wake: threading.Event) -> None:
        self._connection = RetryingConnection(settings, "connectors", "mark", stop)
        self._wake = wake
        self._decode = AvroDecoder(make_fetch(settings), text_instants=True).decode
        self._integrations: list[Integration] = []
        self._read_at = float("-inf")

    def __call__(self, values: Sequence[bytes | None]) -> None:
        """Mark the items that the events concern; return once committed, retrying through outages.

        A value that is not one of our events is logged and skipped: the reconciler finds what it may have
        reported.

        :raises AskedToStopError: the role is stopping; the marks were not written.
        """
        self._connection.run(lambda connection: self._mark(connection, values))

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _mark(self, connection: Connection, values: Sequence[bytes | None]) -> None:
        if time.monotonic() - self._read_at > _CACHE_SECONDS:
            self._integrations = list_integrations(connection)
            self._read_at = time.monotonic()
        if not self._integrations:
            return
        marks: list[LocalMark] = []
        erased: list[ErasedCustomer] = []
        for value in values:
            if value is not None:
                try:
                    event = self._decode(value)
                    customer = erased_customer(*event)
                    found = marks_for_event(*event, self._integrations)
                    for mark in found:
                        UUID(mark.interaction_id), UUID(mark.entity_id)
                except Retry:
                    raise
                except Exception as error:  # noqa: BLE001 - a foreign record must not stop the others
                    _log.error("connectors.not_an_event", reason=type(error).__name__)
                    continue
                marks += found
                if customer is not None:
                    erased.append(customer)
        try:
            marked = mark_local(connection, marks, utc_now())
            # After the marks: those of an erased customer came before its erasure.
            marked += release_erased(connection, erased)
        except Retry:
            self._read_at = float("-inf")
            raise
        if marked:
            self._wake.set()
