"""A dead letter is its record byte for byte, or says which part of it is missing."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.command import MAX_VALUE_BYTES, Refused
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from schemas.outgoing_record import OutgoingRecord
from streams.applier.dead_letter_records import (
    MOST_LETTER_BYTES,
    MOST_ORIGINAL_BYTES,
    dead_letter,
)
from tests.harness.outgoing import raw_headers


def _no_avro(_: bytes) -> Any:
    raise AssertionError("no Avro here")


def _letter(
    value: bytes | None,
    headers: tuple[tuple[str, bytes | None], ...] = (),
    key: bytes | None = b"key",
    **options: Any,
) -> OutgoingRecord:
    record = IncomingRecord("commands", 3, 17, 1_800_000_000_000, key, value, headers, **options)
    refused = decode_record(record, _no_avro)
    assert isinstance(refused, Refused)
    return dead_letter(refused)


def _left_out(letter: OutgoingRecord) -> str | None:
    found: str | None = _header(letter, "dl_left_out")
    return found


def _header(letter: OutgoingRecord, name: str) -> Any:
    return dict(letter.headers).get(name)


@pytest.mark.parametrize("size", [0, 999_850, 3_000_000, MAX_VALUE_BYTES])
def test_a_value_is_kept_whole(size: int) -> None:
    value = b"x" * size
    letter = _letter(value, (("own", b"\x00"), ("own", None)))
    assert (letter.key, letter.value, _left_out(letter)) == (b"key", value, None)
    assert list(letter.headers)[:2] == [("own", b"\x00"), ("own", None)]


def test_a_value_that_was_not_taken_in_is_named_with_its_place() -> None:
    letter = _letter(None, (("own", b"1"),), left_out=("value",), size=2**30)
    assert (letter.value, _left_out(letter)) == (None, "value")
    assert _header(letter, "dl_value_bytes") == str(2**30)
    assert _header(letter, "dl_error_class") == "too_large"
    assert (_header(letter, "dl_partition"), _header(letter, "dl_offset")) == ("3", "17")
    assert _header(letter, "own") == b"1"


@pytest.mark.parametrize("size", [MOST_ORIGINAL_BYTES // 2, MOST_ORIGINAL_BYTES, MOST_ORIGINAL_BYTES + 1])
def test_no_letter_is_larger_than_its_topic_takes(size: int) -> None:
    letter = _letter(b"x" * MAX_VALUE_BYTES, (("own", b"h" * size),))
    total = len(letter.key or b"") + len(letter.value or b"")
    total += sum(len(name) + len(value or b"") for name, value in raw_headers(letter.headers))
    assert total <= MOST_LETTER_BYTES
    left_out = _left_out(letter) or ""
    assert "value" in left_out
    assert ("headers" in left_out) == (_header(letter, "own") is None)


def test_headers_that_cannot_be_read_are_named() -> None:
    letter = _letter(b'{"id": "c-1"}', left_out=("headers",), size=13)
    assert (letter.value, _left_out(letter)) == (b'{"id": "c-1"}', "headers")
    assert _header(letter, "dl_error_class") == "undecodable"


@pytest.mark.parametrize(
    ("count", "attempt"),
    [(b"2", "3"), (b"9" * 5000, "1"), (b"-1", "1"), (b"", "1"), (None, "1"), ("\u0663".encode(), "1")],
    ids=repr,
)
def test_a_count_that_is_no_small_number_counts_as_never(count: bytes | None, attempt: str) -> None:
    assert _header(_letter(b"{", (("dl_replay_count", count),)), "dl_attempt") == attempt
