"""A record of any topic, as consumers read it."""

from __future__ import annotations

from msgspec import Struct


class IncomingRecord(Struct, frozen=True, gc=False):
    """One record as delivered by Kafka.

    :param timestamp_ms: append time of the broker, milliseconds since 1970.
    :param left_out: omitted parts: ``headers`` (unreadable by the client), ``key`` or ``value`` (too large).
    :param size: size of the value in bytes, even if it was omitted.
    """

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    left_out: tuple[str, ...] = ()
    size: int = 0

    def header(self, name: str) -> str | None:
        """Return the last header with this name, as text."""
        for header, value in reversed(self.headers):
            if header == name and value is not None:
                return value.decode(errors="replace")
        return None
