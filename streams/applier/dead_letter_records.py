"""Dead letters: the original record byte for byte, or the parts that fit, with its place and reason."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.command import MAX_VALUE_BYTES, Record, Refused
from streams.applier.result_records import Header

#: Largest original (key, value and headers, in bytes) that a dead letter holds.
MOST_ORIGINAL_BYTES: Final = MAX_VALUE_BYTES + 1024 * 1024
#: Largest dead letter; below ``max.message.bytes`` of its topic (schemas.topics).
MOST_LETTER_BYTES: Final = MOST_ORIGINAL_BYTES + 64 * 1024
#: Largest key and headers that are kept although the value is not.
_MOST_REST_BYTES: Final = 64 * 1024
_MOST_REASON: Final = 1_000
_COUNT: Final = re.compile(rb"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One record for the dead-letter topic.

    :param left_out: the parts of the original that are not in it.
    """

    key: bytes | None
    value: bytes | None
    headers: list[Header]
    left_out: tuple[str, ...]


def dead_letter(command: Refused, reason: str | None = None, *, small: bool = False) -> DeadLetter:
    """Make the dead letter of a refused record.

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
    made: list[Header] = list(headers)
    made += dead_letter_headers(command, reason)[len(record.headers) :]
    if left_out:
        made += [("dl_left_out", ",".join(sorted(left_out))), ("dl_value_bytes", str(_size(record)))]
    return DeadLetter(key, value, made, tuple(sorted(left_out)))


def dead_letter_headers(command: Refused, reason: str | None = None) -> list[Header]:
    """Original headers, followed by the reason and the place; key and value stay byte for byte."""
    record = command.record
    return [
        *record.headers,
        ("dl_topic", record.topic),
        ("dl_partition", str(record.partition)),
        ("dl_offset", str(record.offset)),
        ("dl_reason", (reason or command.rejection.detail)[:_MOST_REASON]),
        ("dl_error_class", command.rejection.code),
        ("dl_attempt", str(_replays(record) + 1)),
    ]


def _replays(record: Record) -> int:
    """Number of replays of the record; a header that is not a small number counts as none."""
    count = 0
    for name, value in record.headers:
        if name == "dl_replay_count":
            count = int(value) if value is not None and _COUNT.fullmatch(value) else 0
    return count


def _bytes_of(headers: Sequence[tuple[str, bytes | None]]) -> int:
    return sum(len(name.encode()) + len(value or b"") for name, value in headers)


def _size(record: Record) -> int:
    return record.size or len(record.value or b"")
