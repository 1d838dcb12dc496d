"""Decode messages into commands; wait a bounded time for the registry, isolate what breaks the decoder."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog
from confluent_kafka import Message

from runtime.backoff import Backoff
from runtime.incoming_records import bare_record, read_record
from runtime.isolation_limit import IsolationLimit
from schemas.command import Command, Refused
from schemas.decode import DecodeAvro, decode_record, refuse_unread
from schemas.errors import Reject, Retry
from schemas.incoming_record import IncomingRecord
from streams.applier.isolated_records import isolation, log_isolated

_log = structlog.get_logger("applier")
#: Longest wait for a registry that does not answer about one schema.
REGISTRY_SECONDS: Final = 120.0
#: Time during which records of such a schema are then refused without another request.
_GIVEN_UP_SECONDS: Final = 60.0
_SCHEMA: Final = slice(1, 5)


class Decoding:
    """Decodes the messages of one reader.

    :param wait: called with the seconds to pause before the next request to the registry.
    :param stop: ends every wait.
    """

    def __init__(self, decode_avro: DecodeAvro, wait: Callable[[float], None], stop: threading.Event) -> None:
        self._decode_avro = decode_avro
        self._wait = wait
        self._stop = stop
        self._limit = IsolationLimit()
        self._good = 0
        self._given_up: dict[bytes, float] = {}

    def decode(self, message: Message) -> Command | Refused:
        """Decode a message into a command or its refusal.

        :raises Retry: asked to stop while the registry does not answer.
        :raises Stop: too many messages break the decoder; this looks like a broken deployment.
        """
        try:
            record = read_record(message)
        except Exception as error:  # noqa: BLE001 - its place is all there is
            # Hazard: never read twice. The client crashes on headers that it failed to read before.
            return self._isolate(bare_record(message), error)
        for second in (False, True):
            try:
                command = self._patiently(record)
            except Retry:
                raise
            except Exception as error:  # noqa: BLE001 - any failure is this message's alone
                if second:
                    return self._isolate(record, error)
            else:
                self._good += 1
                return command
        raise AssertionError

    def _patiently(self, record: IncomingRecord) -> Command | Refused:
        schema = (record.value or b"")[_SCHEMA]
        if self._given_up and self._given_up.get(schema, 0.0) > time.monotonic():
            return _unavailable(record)
        delays = Backoff(ceiling=5.0).delays()
        deadline = time.monotonic() + REGISTRY_SECONDS
        while True:
            try:
                return decode_record(record, self._decode_avro)
            except Retry as error:
                # Hazard: to skip the record would lose the command. Wait for the registry, stay in the group.
                if self._stop.is_set():
                    raise
                if time.monotonic() > deadline:
                    # Records of one schema must not block the commands behind them any longer.
                    self._given_up[schema] = time.monotonic() + _GIVEN_UP_SECONDS
                    _log.error("applier.schema_unavailable", partition=record.partition, offset=record.offset)
                    return _unavailable(record)
                _log.warning("applier.registry_unavailable", reason=str(error))
                self._wait(next(delays))

    def _isolate(self, record: IncomingRecord, error: Exception) -> Refused:
        self._limit.passed(self._good)
        self._good = 0
        self._limit.isolate(error)
        log_isolated(record, "decode", error)
        return refuse_unread(record, isolation(record, error))


def _unavailable(record: IncomingRecord) -> Refused:
    return refuse_unread(
        record,
        Reject(
            "schema_unavailable",
            f"the schema registry has not answered for {REGISTRY_SECONDS:g} s about the schema of this"
            " record; replay its dead letter when the registry is back",
            status=503,
        ),
    )
