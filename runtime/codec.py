"""The Avro codec of a process, with schema ids from the registry."""

from __future__ import annotations

import threading
from typing import Any

import structlog

from runtime.outages import through_outages
from runtime.registry_fetch import make_fetch
from runtime.schema_registration import known_ids
from runtime.settings import Settings
from schemas.avro_codec import AvroDecoder, AvroEncoder
from schemas.outcomes import RESULT_TYPE

_log = structlog.get_logger("worker")


class Codec:
    """Encodes published records and decodes commands.

    :param encoder: for results, events and state.
    :param decoder: for Avro commands.
    """

    def __init__(self, encoder: AvroEncoder, decoder: AvroDecoder) -> None:
        self.encode = encoder.encode
        self.decode = decoder.decode_command

    def encode_result(self, result: dict[str, Any]) -> bytes:
        """Encode a result as Confluent Avro."""
        return self.encode(RESULT_TYPE, result)


def make_codec(settings: Settings, *topics: str) -> Codec:
    """Wait until the registry answers, then make the codec.

    :param topics: those whose records the process encodes.
    :raises Stop: the registry answers, but the contract's schemas are not registered.
    """
    ids = through_outages(lambda: known_ids(settings, topics), _note_outage, threading.Event().wait)
    return Codec(AvroEncoder(ids), AvroDecoder(make_fetch(settings)))


def _note_outage(error: Exception, _seconds: float) -> None:
    _log.warning("worker.registry_unavailable", reason=str(error))
