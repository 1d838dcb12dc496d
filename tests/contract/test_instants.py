"""RFC 3339 parsing, independent of the Python version: decoder and auditor agree on every text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from audit import history
from audit.command_fields import InvalidField, read_instant
from audit.envelope import parse
from schemas.decode import decode_record
from schemas.incoming_record import IncomingRecord
from schemas.instants import format_instant, parse_instant
from tests.harness.wire import event, new_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

#: RFC 3339 section 5.6 and 5.7; the leap seconds are those of its examples.
_TAKEN = {
    "2026-03-02T09:15:00Z": "2026-03-02T09:15:00.000000Z",
    "2026-03-02T09:15:00z": "2026-03-02T09:15:00.000000Z",
    "2026-03-02t09:15:00.5z": "2026-03-02T09:15:00.500000Z",
    "2026-03-02T09:15:00-00:00": "2026-03-02T09:15:00.000000Z",
    "2026-03-02T09:15:00+23:59": "2026-03-01T09:16:00.000000Z",
    "2026-03-02T09:15:00.123456789Z": "2026-03-02T09:15:00.123456Z",
    "2024-02-29T12:00:00+05:30": "2024-02-29T06:30:00.000000Z",
    "2016-12-31T23:59:60Z": "2017-01-01T00:00:00.000000Z",
    "1990-12-31T15:59:60-08:00": "1991-01-01T00:00:00.000000Z",
    "2017-01-01T05:29:60.25+05:30": "2017-01-01T00:00:00.250000Z",
}
_REFUSED = (
    "",
    "2026-03-02",
    "2026-03-02T09:15:00",
    "2026-03-02T09:15Z",
    "2026-03-02T09Z",
    "20260302T091500Z",
    "2026-03-02T091500Z",
    "2026-W10-1T09:15:00Z",
    "2026-061T09:15:00Z",
    "2026-3-2T09:15:00Z",
    "+2026-03-02T09:15:00Z",
    "2026-03-02T24:00:00Z",
    "2026-03-02T09:60:00Z",
    "2026-03-02T09:15:61Z",
    "2026-03-02T09:15:60Z",
    "2016-12-30T23:59:60Z",
    "2016-12-31T22:59:60Z",
    "9999-12-31T23:59:60Z",
    "2026-03-02T09:15:00,5Z",
    "2026-03-02T09:15:00.Z",
    "2026-03-02T09:15:00+0100",
    "2026-03-02T09:15:00+01",
    "2026-03-02T09:15:00+24:00",
    "2026-03-02T09:15:00+01:60",
    "2026-03-02T09:15:00+01:00:30",
    "2026-03-02 09:15:00Z",
    "2026-03-02_09:15:00Z",
    "2026-02-30T09:15:00Z",
    "2026-03-02T09:15:00Z\n",
    " 2026-03-02T09:15:00Z",
    "2026-03-0২T09:15:00Z",
    "1899-12-31T23:59:59Z",
    "2199-12-31T23:59:60Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
)


@pytest.mark.parametrize(("text", "instant"), _TAKEN.items())
def test_an_rfc_3339_text_is_taken(text: str, instant: str) -> None:
    parsed = parse_instant(text)
    assert format_instant(parsed) == instant
    assert _EPOCH + timedelta(microseconds=read_instant(text)) == parsed


@pytest.mark.parametrize("text", _REFUSED)
def test_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|leap second"):
        parse_instant(text)
    with pytest.raises(InvalidField):
        read_instant(text)


@pytest.mark.parametrize(
    ("timestamp_ms", "instant"),
    [
        (-(2**63), "1900-01-01T00:00:00.000000Z"),
        (-1, "1969-12-31T23:59:59.999000Z"),
        (7_258_118_400_000, "2199-12-31T23:59:59.999000Z"),
        (253_402_300_800_000, "2199-12-31T23:59:59.999000Z"),
        (2**63 - 1, "2199-12-31T23:59:59.999000Z"),
    ],
)
def test_a_record_timestamp_of_any_size_is_a_valid_instant(timestamp_ms: int, instant: str) -> None:
    """Publishers choose the timestamps of a topic that had CreateTime before it had LogAppendTime."""
    entity = new_id()
    value = orjson.dumps(event("interaction.create", entity, {"interactionType": "call"}))
    record = ("c", 0, 0, timestamp_ms, entity.encode(), value, ())
    command = decode_record(IncomingRecord(*record), _no_avro)
    assert format_instant(command.appended_at) == instant
    assert parse(history.Record(*record), _no_avro).now == (parse_instant(instant) - _EPOCH) // _MICROSECOND


def _no_avro(_: bytes) -> Any:
    raise AssertionError("no Avro here")
