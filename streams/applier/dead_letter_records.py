"""Dead letters: the original record byte for byte, or the parts that fit, with its place and reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from schemas.command import MAX_VALUE_BYTES, Refused
from schemas.incoming_record import IncomingRecord
from schemas.outgoing_record import OutgoingRecord
from schemas.topics import DEAD_LETTERS

#: Largest original (key, value and headers, in bytes) that a dead letter holds.
MOST_ORIGINAL_BYTES: Final = MAX_VALUE_BYTES + 1024 * 1024
#: Largest dead letter; below ``max.message.bytes`` of its topic (schemas.topics).
MOST_LETTER_BYTES: Final = MOST_ORIGINAL_BYTES + 64 * 1024
#: Largest key and headers that are kept although the value is not.
_MOST_REST_BYTES: Final = 64 * 1024
_MOST_REASON: Final = 1_000
_MOST_PLACE: Final = 200
_COUNT: Final = re.compile(rb"[0-9]{1,9}")


def dead_letter(command: Refused, reason: str | None = None, *, small: bool = False) -> OutgoingRecord:
    """Make the dead letter of a refused record; ``dl_left_out`` names the parts that are not in it.

    :param reason: in place of the refusal's own.
    :param small: without the value, because the broker refused it.
    """
    record = command.record
    left_out = set(record.left_out)
    key, value, headers = record.key, record.value, record.headers
    rest = len(key or b"") + _bytes_of(headers)
    if value is not None and (small or len(value) + rest > MOST_ORIGINAL_BYTES):
        value = None
        left_out.add("value")
    if rest > MOST_ORIGINAL_BYTES or ("value" in left_out and rest > _MOST_REST_BYTES):
        key, headers = None, ()
        left_out |= {"key", "headers"}
    made: list[tuple[str, str | bytes | None]] = [
        *headers,
        ("dl_topic", record.topic),
        ("dl_partition", str(record.partition)),
        ("dl_offset", str(record.offset)),
        ("dl_reason", (reason or command.rejection.detail)[:_MOST_REASON]),
        ("dl_error_class", command.rejection.code),
        ("dl_attempt", str(_replays(record) + 1)),
    ]
    made += _first_error(command)
    if left_out:
        made += [("dl_left_out", ",".join(sorted(left_out))), ("dl_value_bytes", str(_size(record)))]
    return OutgoingRecord(DEAD_LETTERS, key, value, made)


def _first_error(command: Refused) -> list[tuple[str, str | bytes | None]]:
    """Code and place of the first field error, by which dead letters are grouped."""
    if not command.rejection.errors:
        return []
    first = command.rejection.errors[0]
    place = first.pointer or first.attribute
    made: list[tuple[str, str | bytes | None]] = [("dl_error_code", first.code)]
    return made if place is None else [*made, ("dl_error_pointer", place[:_MOST_PLACE])]


def _replays(record: IncomingRecord) -> int:
    """Number of replays of the record; a header that is not a small number counts as none."""
    count = 0
    for name, value in record.headers:
        if name == "dl_replay_count":
            count = int(value) if value is not None and _COUNT.fullmatch(value) else 0
    return count


def _bytes_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(len(name.encode()) + len(value or b"") for name, value in headers)


def _size(record: IncomingRecord) -> int:
    return record.size or len(record.value or b"")
