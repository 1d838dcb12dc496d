"""Outgoing records as a consumer reads them."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.outgoing_record import Headers, OutgoingRecord


def raw_headers(headers: Headers) -> tuple[tuple[str, bytes | None], ...]:
    """Encode texts, as the client does."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return tuple((name, text.encode() if isinstance(text, str) else text) for name, text in pairs)


def raw_key(record: OutgoingRecord) -> bytes | None:
    """Encode a text, as the client does."""
    return record.key.encode() if isinstance(record.key, str) else record.key
