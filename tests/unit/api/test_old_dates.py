"""Dates as old clients send them, parsed to the same instant on every version of Python."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from api.adapters.old_dates import parse_old_date

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T09:00", NINE),
        ("2026-03-01 09:00:00", NINE),
        ("2026-03-01T09:00:00Z", NINE),
        ("2026-03-01t09:00:00z", NINE),
        ("2026-03-01T10:00:00.000+0100", NINE),
        ("2026-03-01T10:00:00+01:00", NINE),
        ("2026-03-01T09:00:00.1234567Z", NINE.replace(microsecond=123_456)),
        (" 2026-03-01T09:00:00Z ", NINE),
        (1772355600000, NINE),
        (1772355600000.0, NINE),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("Sun, 01 Mar 2026 09:00:00 GMT", NINE),
        ("Sun, 1 Mar 2026 10:00:00 +0100", NINE),
        ("1 Mar 2026 09:00 -0000", NINE),
    ],
)
def test_every_date_format_is_parsed(value: Any, instant: datetime) -> None:
    assert parse_old_date(value) == instant


@pytest.mark.parametrize(
    "value",
    [
        "", "tomorrow", "2026-02-30", "2026-W09-7", "20260301", "2026-03-01T25:00:00Z", "2026-03-01Z",
        "2026-03-01T09", "1850-01-01", 1e300, float("nan"), float("inf"), -(10**18), True, None, [], {},
        "Sun, 01 Foo 2026 09:00:00 GMT", "Sun, 01 Mar 2026 09:00:00 GMT\x00" + "9" * 5000,
    ],
)  # fmt: skip
def test_other_texts_are_rejected(value: Any) -> None:
    with pytest.raises(ValueError, match=r"must|does not name"):
        parse_old_date(value)
