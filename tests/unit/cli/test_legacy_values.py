"""Values of source rows are read by the stated rules, and each repair is noted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.legacy.values import EPOCH, BrokenId, Values, read_instant

_ID = "0b7f5a0e-53e4-4b0c-9d1e-1f0a6f7d0001"


def values(**row: str | None) -> tuple[Values, list[str]]:
    notes: list[str] = []
    return Values(row, notes), notes


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-02-01T10:00:00Z", "2024-02-01T10:00:00+00:00"),
        ("2024-02-01 10:00:00.123456+00", "2024-02-01T10:00:00.123456+00:00"),
        ("2024-02-01 12:00:00+02:00", "2024-02-01T10:00:00+00:00"),
        ("2024-02-01 10:00:00 +0200", "2024-02-01T08:00:00+00:00"),
        ("2024-02-01 10:00", "2024-02-01T10:00:00+00:00"),
        ("2024-02-01", "2024-02-01T00:00:00+00:00"),
        ("0001-01-01 00:00:00+00", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59+00:00"),
        ("0001-01-01T00:00:00+02:00", None),
        ("infinity", None),
        ("-infinity", None),
        ("0044-03-15 00:00:00+00 BC", None),
        ("12024-02-01 00:00:00+00", None),
        ("2024-02-30", None),
        ("2024-13-01", None),
        ("01.02.2024", None),
        ("2024-W05-1", None),
        ("20240201", None),
        ("٢٠٢٤-02-01", None),
        ("soon", None),
    ],
)
def test_points_in_time(text: str, instant: str | None) -> None:
    assert read_instant(text) == instant
    read, notes = values(due_at=text)
    assert read.instant("due_at") == instant
    assert notes == ([] if instant else ["due_at_unreadable"])


@given(
    st.datetimes(
        min_value=datetime(1900, 1, 1),  # noqa: DTZ001
        max_value=datetime(2199, 12, 30),  # noqa: DTZ001
        timezones=st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
    )
)
def test_every_instant_is_kept_to_the_microsecond(moment: datetime) -> None:
    text = read_instant(moment.isoformat(sep=" "))
    assert text is not None
    assert datetime.fromisoformat(text) == moment
    assert datetime.fromisoformat(text).utcoffset() == UTC.utcoffset(None)


@given(st.text())
def test_no_text_breaks_a_reader(text: str) -> None:
    read, _ = values(a=text)
    for reader in (read.instant, read.flag, read.integer, read.reference, read.text):
        reader("a")
        reader("absent")


@pytest.mark.parametrize("text", [None, "", "  ", "123", _ID[:-1], f"{_ID}0", f"{{{_ID}}}", "x" * 36])
def test_a_row_without_an_id_is_broken(text: str | None) -> None:
    read, _ = values(id=text)
    with pytest.raises(BrokenId, match="id is"):
        read.identity("id")


def test_ids_are_in_lower_case() -> None:
    read, _ = values(id=f" {_ID.upper()}\n", deal_id="17")
    assert read.identity("id") == _ID


def test_a_reference_that_is_no_id_is_dropped() -> None:
    read, notes = values(deal_id="17", author_user_id=_ID, owner_user_id=None)
    assert read.reference("deal_id") is None
    assert read.reference("author_user_id") == _ID
    assert read.reference("owner_user_id") is None
    assert notes == ["deal_id_broken"]


@pytest.mark.parametrize(
    ("created", "updated", "other", "expected", "noted"),
    [
        ("2024-01-01", "2024-01-02", None, ("2024-01-01", "2024-01-02"), []),
        (None, "2024-01-02", "2024-01-03", ("2024-01-02", "2024-01-02"), ["created_at_defaulted"]),
        ("2024-01-01", None, None, ("2024-01-01", "2024-01-01"), []),
        (None, None, "2024-01-03", ("2024-01-03", "2024-01-03"), ["created_at_defaulted"]),
        (None, "never", None, (EPOCH, EPOCH), ["updated_at_unreadable", "created_at_defaulted"]),
    ],
)
def test_times_of_creation(
    created: str | None, updated: str | None, other: str | None, expected: tuple[str, str], noted: list[str]
) -> None:
    read, notes = values(created_at=created, updated_at=updated, occurred_at=other)
    assert tuple(text[:10] for text in read.created_and_updated("occurred_at")) == tuple(
        text[:10] for text in expected
    )
    assert notes == noted


@pytest.mark.parametrize(
    ("text", "flag"), [("t", "true"), ("TRUE", "true"), ("1", "true"), ("f", "false"), ("no", "false")]
)
def test_flags(text: str, flag: str) -> None:
    assert values(is_done=text)[0].flag("is_done") == flag


@pytest.mark.parametrize(
    ("text", "number"), [("5", "5"), ("+5", "5"), ("-1", "-1"), ("2147483648", None), ("5.5", None)]
)
def test_integers(text: str, number: str | None) -> None:
    read, notes = values(priority=text)
    assert read.integer("priority") == number
    assert bool(notes) == (number is None)
