"""Delivered messages as records: the parts that the client can read and that are not too large."""

from __future__ import annotations

from operator import methodcaller
from typing import Any, Final, cast

from confluent_kafka import Message

from schemas.command import MAX_KEY_BYTES, MAX_VALUE_BYTES
from schemas.incoming_record import IncomingRecord

#: ``IncomingRecord.left_out`` of a message of which only partition and offset are known.
NOTHING: Final = ("headers", "key", "value")
_call_headers = methodcaller("headers")


def read_record(message: Message, topic: str | None = None) -> IncomingRecord:
    """Read a delivered message; unreadable parts are named in ``left_out``.

    :param topic: name of the topic, if the deployment's name of it is not wanted.
    """
    name, partition, offset = cast("tuple[str, int, int]", place_of(message))
    left_out: list[str] = []
    headers = headers_of(message)
    if headers is None:
        left_out.append("headers")
    # Hazard: a gigabyte may arrive compressed to a megabyte; such a value must not be copied.
    size = len(message)
    if size > MAX_VALUE_BYTES:
        left_out.append("value")
    key = message.key()
    if key is not None and len(key) > MAX_KEY_BYTES:
        key = None
        left_out.append("key")
    return IncomingRecord(
        topic=topic or name,
        partition=partition,
        offset=offset,
        timestamp_ms=message.timestamp()[1],
        key=key,
        value=message.value() if size <= MAX_VALUE_BYTES else None,
        headers=tuple(headers or ()),
        left_out=tuple(left_out),
        size=size,
    )


def bare_record(message: Message) -> IncomingRecord:
    """Record of a message that cannot be read: its place alone."""
    topic, partition, offset = cast("tuple[str, int, int]", place_of(message))
    timestamp_ms = message.timestamp()[1]
    return IncomingRecord(
        topic, partition, offset, timestamp_ms, None, None, (), left_out=NOTHING, size=len(message)
    )


def place_of(message: Message) -> tuple[object, object, object]:
    """Topic, partition and offset; the client's type hints allow ``None``, a delivered message has all."""
    return message.topic(), message.partition(), message.offset()


def headers_of(message: Message) -> list[tuple[str, bytes | None]] | None:
    """Headers of a record; ``None`` when a name is not UTF-8, in which case the client returns no headers.

    Hazard: confluent-kafka 2.16 then sets an exception and also returns a list with a null pointer. An
    ordinary call can let both pass to the code after it; ``methodcaller`` checks. Call it once per message.
    """
    try:
        found: Any = _call_headers(message)
    except (SystemError, UnicodeDecodeError):
        return None
    return found or []
