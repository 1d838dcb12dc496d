"""Event handler: write change marks to the ledger for records of the events topic."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Final

from connectors.service.open_session import utc_now
from connectors.store.erasure import release_erased
from connectors.store.integrations import Integration, list_integrations
from connectors.store.ledger_marks import LocalMark, mark_local
from connectors.sync.change_marks import erased_customer, marks_for_event
from runtime.isolated import note_isolated
from runtime.isolation_limit import IsolationLimit
from runtime.postgres import Connection, Outage, sqlstate_of
from runtime.registry_fetch import make_fetch
from runtime.retrying_connection import RetryingConnection
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder
from schemas.errors import Retry, Stop
from sinks.erasure.erased import ErasedCustomer

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
        self._limit = IsolationLimit()

    def __call__(self, values: Sequence[bytes | None]) -> None:
        """Mark the items that the events concern; return once committed, retrying through outages.

        A value that is not one of our events is logged and skipped.

        :raises Stop: too many values are skipped: another publisher writes to this topic.
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
        try:
            self._mark_all(connection, values)
        except Retry:
            self._read_at = float("-inf")
            raise
        except (Outage, Stop):
            raise
        except Exception as error:  # noqa: BLE001 - one event must not stop the others
            if len(values) > 1:
                for value in values:
                    self._mark(connection, [value])
                return
            self._limit.isolate(error)
            # Hazard: the text of the error may contain customer text.
            state = sqlstate_of(error)
            note_isolated("connectors.event_isolated", error=type(error).__name__, sqlstate=state)
        else:
            self._limit.passed(len(values))

    def _mark_all(self, connection: Connection, values: Sequence[bytes | None]) -> None:
        marks: list[LocalMark] = []
        erased: list[ErasedCustomer] = []
        for value in values:
            if value is not None:
                event = self._decode(value)
                marks += marks_for_event(*event, self._integrations)
                if (customer := erased_customer(*event)) is not None:
                    erased.append(customer)
        marked = mark_local(connection, marks, utc_now())
        # After the marks: those of an erased customer came before its erasure.
        marked += release_erased(connection, erased)
        if marked:
            self._wake.set()
